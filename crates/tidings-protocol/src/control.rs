//! Controls: what the server says about the stream itself, under names that begin with `$`.

use std::time::Duration;

use serde::Serialize;
use serde_json::json;

use crate::channel::Pattern;
use crate::code::{EndReason, ErrorCode, Retry};
use crate::cursor::Cursor;
use crate::time::Timestamp;

/// Why events can no longer be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResetReason {
    /// Retention has removed them.
    Expired,
    /// The cursor is of a history that this log does not know.
    Unknown,
    /// The right to the channels has ended.
    Unauthorized,
}

impl ResetReason {
    /// The word on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expired => "expired",
            Self::Unknown => "unknown",
            Self::Unauthorized => "unauthorized",
        }
    }
}

/// A gap: events of these channels after the reader's cursor up to `through` cannot be given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reset {
    /// Why.
    pub reason: ResetReason,
    /// Which channels, as subscribed or narrower.
    pub channels: Vec<Pattern>,
    /// Up to where; `None` where it has no end (`unauthorized`).
    pub through: Option<Cursor>,
}

impl Reset {
    /// `{"reason","channels","through"}`.
    #[must_use]
    pub fn to_value(&self) -> serde_json::Value {
        json!({"reason": self.reason.name(), "channels": self.channels, "through": self.through})
    }
}

/// One control.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// Opens every stream.
    Ready {
        /// The session's id, for changing the stream while it runs.
        session: String,
        /// Whether reading goes on from the cursor that was given.
        resumed: bool,
        /// The channels subscribed.
        channels: Vec<Pattern>,
        /// The log's end at this moment.
        head: Cursor,
    },
    /// Events can no longer be given.
    Reset(Reset),
    /// Channels are being added to the live stream; what they missed follows.
    Subscribed {
        /// The channels, all with the same beginning.
        channels: Vec<Pattern>,
        /// After which position their events are given.
        from: Cursor,
    },
    /// The added channels have caught up with the stream.
    Joined {
        /// The channels.
        channels: Vec<Pattern>,
    },
    /// Superseded events were skipped.
    Lagged {
        /// The conflation key.
        key: String,
        /// How many were skipped.
        skipped: u64,
    },
    /// The credential ends soon; renew it to keep the stream.
    Expiring {
        /// When it ends.
        at: Timestamp,
    },
    /// The heartbeat of a stream opened with `heartbeat=event`.
    Ping,
    /// The stream ends here.
    End {
        /// Why.
        reason: EndReason,
        /// When to come back, for [`Retry::Later`].
        after: Option<Duration>,
    },
    /// The stream is refused where the client cannot be told by a status: an `$end` and nothing else.
    Refused {
        /// Why.
        code: ErrorCode,
        /// Of the ends the one that has the client do what is right.
        reason: EndReason,
        /// When to come back, for [`Retry::Later`].
        after: Option<Duration>,
    },
}

#[derive(Serialize)]
struct End {
    reason: &'static str,
    retry: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
}

impl End {
    fn json(reason: EndReason, after: Option<Duration>, code: Option<ErrorCode>) -> String {
        let (retry, after) = (reason.retry().name(), after.map(millis));
        let end = Self { reason: reason.name(), retry, after, code: code.map(ErrorCode::name) };
        serde_json::to_string(&end).unwrap_or_default()
    }
}

impl Control {
    /// The event name on the wire, beginning with `$`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ready { .. } => "$ready",
            Self::Reset(_) => "$reset",
            Self::Subscribed { .. } => "$subscribed",
            Self::Joined { .. } => "$joined",
            Self::Lagged { .. } => "$lagged",
            Self::Expiring { .. } => "$expiring",
            Self::Ping => "$ping",
            Self::End { .. } | Self::Refused { .. } => "$end",
        }
    }

    /// The data, as JSON on one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        match self {
            Self::Ready { session, resumed, channels, head } => {
                json!({"session": session, "resumed": resumed, "channels": channels, "head": head})
                    .to_string()
            }
            Self::Reset(reset) => reset.to_value().to_string(),
            Self::Subscribed { channels, from } => json!({"channels": channels, "from": from}).to_string(),
            Self::Joined { channels } => json!({"channels": channels}).to_string(),
            Self::Lagged { key, skipped } => json!({"key": key, "skipped": skipped}).to_string(),
            Self::Expiring { at } => json!({"at": at}).to_string(),
            Self::Ping => "{}".to_owned(),
            Self::End { reason, after } => End::json(*reason, *after, None),
            Self::Refused { code, reason, after } => End::json(*reason, *after, Some(*code)),
        }
    }

    /// The `retry:` field that goes with the control, in milliseconds: an `$end` that names a time, or one to come
    /// back from at once.
    #[must_use]
    pub fn retry_millis(&self) -> Option<u64> {
        match self {
            Self::End { after: Some(after), .. } | Self::Refused { after: Some(after), .. } => {
                Some(millis(*after))
            }
            Self::End { reason, after: None } | Self::Refused { reason, after: None, .. }
                if reason.retry() == Retry::Now =>
            {
                Some(0)
            }
            _ => None,
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cursor::{Lineage, Seq};

    #[test]
    fn controls_read_as_documented() {
        let at = Cursor::new(Seq(5), Lineage::from_bits(2));
        let channels = vec!["a:*".parse().unwrap()];
        let table = [
            (
                Control::Ready { session: "s1".into(), resumed: true, channels: channels.clone(), head: at },
                "$ready",
                r#"{"channels":["a:*"],"head":"0000000000005.0000002","resumed":true,"session":"s1"}"#,
            ),
            (
                Control::Reset(Reset {
                    reason: ResetReason::Expired,
                    channels: channels.clone(),
                    through: Some(at),
                }),
                "$reset",
                r#"{"channels":["a:*"],"reason":"expired","through":"0000000000005.0000002"}"#,
            ),
            (
                Control::Reset(Reset { reason: ResetReason::Unauthorized, channels, through: None }),
                "$reset",
                r#"{"channels":["a:*"],"reason":"unauthorized","through":null}"#,
            ),
            (Control::Lagged { key: "k".into(), skipped: 2 }, "$lagged", r#"{"key":"k","skipped":2}"#),
            (
                Control::End { reason: EndReason::ServerShutdown, after: Some(Duration::from_millis(1500)) },
                "$end",
                r#"{"reason":"server_shutdown","retry":"later","after":1500}"#,
            ),
            (
                Control::End { reason: EndReason::Revoked, after: None },
                "$end",
                r#"{"reason":"revoked","retry":"auth"}"#,
            ),
            (
                Control::Refused {
                    code: ErrorCode::InvalidChannel,
                    reason: EndReason::EndedByAdmin,
                    after: None,
                },
                "$end",
                r#"{"reason":"ended_by_admin","retry":"never","code":"invalid_channel"}"#,
            ),
        ];
        for (control, name, json) in table {
            assert_eq!(control.name(), name);
            assert_eq!(control.to_json(), json);
        }
    }
}
