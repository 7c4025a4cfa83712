//! The rules of `$reset`: true, told once, and of what the stream was owed.

use tidings_core::port::log::MAX_TRIMMED;
use tidings_core::session::JoinAt;
use tidings_protocol::control::{Reset, ResetReason};
use tidings_protocol::{Cursor, Pattern};

use super::{At, Check, Due, Marks, Sub, Watch, sorted};
use crate::check;
use crate::coverage::Coverage;

/// Whether what was trimmed of the pattern was trimmed when the subscription began with what was left.
fn was_gone(first: &Marks, pattern: &Pattern, through: u64) -> bool {
    // Past so many marks the log names no single channels, so that a gap cannot be known again.
    let single = pattern.as_exact().filter(|_| first.len() <= MAX_TRIMMED);
    single.is_some_and(|channel| first.get(channel).is_some_and(|mark| *mark >= through))
}

impl Watch {
    pub(super) fn on_reset(
        &mut self,
        reset: &Reset,
        id: Option<Cursor>,
        at: At<'_>,
        cov: &mut Coverage,
    ) -> Check {
        match reset.reason {
            ResetReason::Unauthorized => {
                cov.hit("frame: $reset unauthorized");
                check!(id.is_none() && reset.through.is_none(), "{reset:?} with {id:?}");
                let lost = self.lost.pop_front().ok_or("$reset unauthorized unasked")?;
                check!(sorted(&lost) == sorted(&reset.channels), "{reset:?}: {lost:?}");
                Ok(())
            }
            ResetReason::Unknown if self.joining => {
                cov.hit("frame: $reset unknown, in a join");
                let group = self.groups.front().ok_or("a reset of no group")?;
                check!(group.at == JoinAt::Unknown, "{reset:?} of {group:?}");
                let here = Some(at.position);
                check!(id.is_none() && reset.through == here, "{reset:?} with {id:?} at {here:?}");
                Ok(())
            }
            ResetReason::Unknown => {
                cov.hit("frame: $reset unknown");
                let Some(Due::Unknown(channels)) = self.due.pop_front() else {
                    return Err(format!("{reset:?} unasked"));
                };
                check!(channels == reset.channels, "{reset:?}: {channels:?}");
                let begin = Some(self.last);
                check!(id == begin && reset.through == begin, "{reset:?} with {id:?}, not {begin:?}");
                Ok(())
            }
            ResetReason::Expired => {
                cov.hit("frame: $reset expired");
                check!(id.is_none(), "{reset:?} with {id:?}");
                check!(self.due.is_empty(), "{reset:?} before {:?}", self.due);
                self.on_expired(reset, at, cov)
            }
        }
    }

    fn on_expired(&mut self, reset: &Reset, at: At<'_>, cov: &mut Coverage) -> Check {
        let through = reset.through.ok_or("a gap without an end")?.seq.0;
        let [pattern] = &*reset.channels else { return Err(format!("{reset:?} names no single pattern")) };
        let fact = at.history.get(through).filter(|fact| fact.on.len() < fact.event.channels().count());
        check!(fact.is_some(), "{reset:?} of nothing");
        if pattern.as_exact().is_some() {
            let mut before = at.history.upto(through);
            let kept = before.find(|fact| fact.on.iter().any(|channel| pattern.matches(channel)));
            check!(kept.is_none(), "{reset:?}, but there is {kept:?}");
        } else {
            cov.hit("frame: $reset expired, wide");
        }
        if self.joining {
            cov.hit("frame: $reset expired, in a join");
            self.is_news_to_group(pattern, through)?;
        } else {
            self.is_news(pattern, through, at)?;
        }
        self.told.push((pattern.clone(), through));
        Ok(())
    }

    fn is_news(&self, pattern: &Pattern, through: u64, at: At<'_>) -> Check {
        let here = at.position.seq.0;
        check!(through > here, "a gap of {pattern} that ends at {through}, told of at {here}");
        let known = self.told.iter().any(|(known, upto)| known.covers(pattern) && *upto >= through);
        check!(!known, "a gap of {pattern} to {through}, again: {:?}", self.told);
        let owed = |sub: &Sub| {
            let overlap = sub.pattern.covers(pattern) || pattern.covers(&sub.pattern);
            let wide = sub.added && sub.pattern.as_exact().is_none();
            // The ring may have given what came first, and does not know what was gone by then.
            let begun = wide || here > self.begin;
            overlap && sub.from < through && (begun || !was_gone(&sub.first, pattern, through))
        };
        check!(self.subs.iter().any(owed), "a gap of {pattern} to {through} is no news: {self:?}");
        Ok(())
    }

    fn is_news_to_group(&mut self, pattern: &Pattern, through: u64) -> Check {
        let group = self.groups.front_mut().ok_or("a reset of no group")?;
        let known = group.told.iter().any(|(known, upto)| known.covers(pattern) && *upto >= through);
        check!(through > group.from && !known, "a gap of {pattern} to {through}, again: {group:?}");
        let gone = was_gone(&group.first, pattern, through);
        check!(!gone, "a gap of {pattern} to {through}, but it begins with the oldest retained: {group:?}");
        group.told.push((pattern.clone(), through));
        Ok(())
    }
}
