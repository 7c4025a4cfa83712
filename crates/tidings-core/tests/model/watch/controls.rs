//! The rules of controls: which have an id, what they name, and when they may come.

use tidings_core::session::Pulse;
use tidings_protocol::control::{Control, Reset, ResetReason};
use tidings_protocol::{Cursor, EndReason, Pattern};

use super::{At, Check, Due, Sub, Watch, sorted};
use crate::check;
use crate::coverage::Coverage;

impl Watch {
    pub(super) fn on_heartbeat(
        &mut self,
        pulse: Pulse,
        at: At<'_>,
        cov: &mut Coverage,
    ) -> Check<Option<Cursor>> {
        match pulse {
            Pulse::Silent => {
                cov.hit("frame: heartbeat, silent");
                check!(self.joining, "a heartbeat without a position");
                Ok(None)
            }
            Pulse::Same(id) => {
                cov.hit("frame: heartbeat, same");
                check!(id == self.last, "the heartbeat's position {id} is not {}", self.last);
                self.take_id(id, at).map(|()| Some(id))
            }
            Pulse::Moved(id) => {
                cov.hit("frame: heartbeat, moved");
                check!(id != self.last, "the heartbeat's position {id} has not moved");
                self.take_id(id, at).map(|()| Some(id))
            }
        }
    }

    pub(super) fn on_control(
        &mut self,
        control: &Control,
        id: Option<Cursor>,
        at: At<'_>,
        cov: &mut Coverage,
    ) -> Check {
        self.may_come(control)?;
        match control {
            Control::Ready { resumed, channels, head, .. } => {
                cov.hit("frame: $ready");
                self.on_ready(*resumed, channels, *head, id)
            }
            Control::Reset(reset) => self.on_reset(reset, id, at, cov),
            Control::Subscribed { channels, from } => {
                cov.hit("frame: $subscribed");
                check!(id.is_none(), "{control:?} with {id:?}");
                self.on_subscribed(channels, *from)
            }
            Control::Joined { channels } => {
                cov.hit("frame: $joined");
                check!(id == Some(at.position), "{control:?} with {id:?}, not {}", at.position);
                self.on_joined(channels, at)
            }
            Control::Lagged { key, skipped } => {
                cov.hit("frame: $lagged");
                check!(id.is_none(), "{control:?} with {id:?}");
                self.lagged = Some((key.clone(), *skipped));
                Ok(())
            }
            Control::Expiring { .. } => {
                cov.hit("frame: $expiring");
                check!(id.is_none(), "{control:?} with {id:?}");
                Ok(())
            }
            Control::Ping => Err("pings are the transport's".into()),
            Control::Refused { .. } => Err("a session that is there was not refused".into()),
            Control::End { reason, .. } => {
                cov.hit("frame: $end");
                cov.add("frame: $end without an id", u64::from(id.is_none()));
                check!(*reason != EndReason::Revoked || self.revoked, "{control:?} with rights left");
                self.over = true;
                // Until it has said `$subscribed` the client cannot tell that it is joining.
                check!(id.is_some() || self.is_joining(), "{control:?} without an id");
                id.map_or(Ok(()), |id| self.take_id(id, at))
            }
        }
    }

    /// `$ready` opens a stream, `$lagged` goes with its event, and polls are told of resets and the end alone.
    fn may_come(&self, control: &Control) -> Check {
        let opens = matches!(control, Control::Ready { .. } | Control::Reset(_));
        check!(opens || self.due.is_empty(), "{control:?} before {:?}", self.due);
        let unauthorized = Some(ResetReason::Unauthorized);
        let reason = if let Control::Reset(Reset { reason, .. }) = control { Some(*reason) } else { None };
        let ends = matches!(control, Control::End { .. });
        let strikes = ends || reason == unauthorized;
        check!(self.lagged.is_none() || strikes, "{control:?} between $lagged and its event");
        check!(!self.poll || ends || reason.is_some(), "a poll is told {control:?}");
        Ok(())
    }

    fn on_ready(&mut self, resumed: bool, channels: &[Pattern], head: Cursor, id: Option<Cursor>) -> Check {
        let Some(Due::Ready { resumed: expected, channels: asked }) = self.due.pop_front() else {
            return Err("a second $ready".into());
        };
        check!(
            resumed == expected && *channels == asked,
            "$ready {resumed} {channels:?}: {expected} {asked:?}"
        );
        check!(head.seq >= self.last.seq, "head {head} before {}", self.last);
        check!(id == Some(self.last), "$ready id {id:?}, not {}", self.last);
        Ok(())
    }

    fn on_subscribed(&mut self, channels: &[Pattern], from: Cursor) -> Check {
        check!(!self.joining, "$subscribed between $subscribed and $joined");
        self.joining = true;
        let group = self.groups.front().ok_or("$subscribed unasked")?;
        let (told, meant) = (sorted(channels), sorted(&group.patterns));
        // Those whose right ended after it was put out are told of all the same, and are reset next.
        let extra =
            told.iter().filter(|pattern| !meant.contains(pattern)).all(|pattern| self.is_losing(pattern));
        check!(
            extra && meant.iter().all(|pattern| told.contains(pattern)),
            "$subscribed {told:?}: {meant:?}"
        );
        check!(!told.is_empty(), "nothing was $subscribed");
        check!(from.seq.0 == group.from, "$subscribed {told:?} from {from}, not {}", group.from);
        Ok(())
    }

    fn on_joined(&mut self, channels: &[Pattern], at: At<'_>) -> Check {
        check!(self.joining, "$joined unasked");
        self.joining = false;
        let group = self.groups.pop_front().ok_or("$joined unasked")?;
        check!(sorted(channels) == sorted(&group.patterns), "$joined {channels:?}: {:?}", group.patterns);
        for pattern in group.patterns {
            let (forgiven, first) = (group.forgiven.clone(), group.first.clone());
            self.subs.push(Sub { pattern, from: group.from, forgiven, first, added: true });
        }
        self.take_id(at.position, at)
    }
}
