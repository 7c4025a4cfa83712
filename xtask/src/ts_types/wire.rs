//! Events, controls, answers and refusals: the shapes that every client of the protocol reads or writes.

use super::shape::Value::{Flag, Json, List, Named, Number, OrNull, Text, TextOrNumber, True};
use super::shape::{Name, Shape, Value, comment};

const CURSOR: Value = Named("Cursor");
const CHANNELS: Value = List(&Text);

/// Texts with a meaning.
pub(super) const NAMES: &[Name] = &[
    Name {
        name: "Cursor",
        about: "A position in a tenant's log: 21 characters. Pass it back as it was received; compare, never build.",
        is: "string & { readonly __kind: 'cursor' }",
    },
    Name { name: "Instant", about: "An instant: RFC 3339 in UTC with milliseconds.", is: "string" },
];

/// Objects.
pub(super) const SHAPES: &[Shape] = &[
    Shape {
        name: "Event<Data = unknown>",
        about: "One fact, as subscribers receive it.",
        members: &[
            ("id", CURSOR, "Its position in the log; the same in replays, retries and history."),
            ("channel", Text, "The channel it was published to."),
            ("type", Text, "What kind of fact it is."),
            (
                "time",
                Named("Instant"),
                "When it was committed, by the server's clock; says nothing about order.",
            ),
            ("data", Named("Data"), "The payload."),
            ("also?", CHANNELS, "Further channels whose subscribers receive it too."),
            ("category?", Text, "A coarser grouping."),
            ("actor?", Text, "Who did it."),
            ("version?", Number, "The version of the record that it tells of."),
            ("mutationId?", Text, "The publisher's own name for the change, so that a client knows its own."),
            ("terminal?", True, "Nothing follows on `channel`."),
        ],
    },
    Shape {
        name: "Draft<Data = unknown>",
        about: "An event to be published.",
        members: &[
            ("channel", Text, "Where to: segments of `[A-Za-z0-9._~@/-]+` joined by `:`, at most 200 bytes."),
            ("type", Text, "What kind of fact: 1 to 100 of `A-Z a-z 0-9 _ . : -`; not `error`, not `open`."),
            ("data", Named("Data"), "The payload: any JSON, at most 64 KiB, 64 levels deep."),
            ("also?", CHANNELS, "At most 8 further channels whose subscribers receive it too."),
            (
                "key?",
                Text,
                "Conflation key: of events that wait for one connection, a later one with the same channel, `also` and key stands for the earlier.",
            ),
            ("category?", Text, "A coarser grouping for subscribers: 1 to 40 of `A-Z _`."),
            (
                "version?",
                Number,
                "The version of the record that it tells of: a whole number up to 2^53 - 1.",
            ),
            ("mutationId?", Text, "The publisher's own name for the change, 1 to 200 bytes."),
            ("terminal?", Flag, "Whether nothing follows on `channel`. Default: false."),
            ("actor?", Text, "Who did it, 1 to 200 bytes; from service keys only."),
            (
                "idempotencyKey?",
                Text,
                "1 to 255 bytes; makes retries one event, per channel, for at least 24 hours.",
            ),
        ],
    },
    Shape {
        name: "Receipt",
        about: "What became of a published event.",
        members: &[
            ("id", CURSOR, "Its position in the log."),
            ("duplicate", Flag, "Whether it had been published before under its idempotency key."),
        ],
    },
    Shape {
        name: "Problem",
        about: "Why a request was refused (RFC 9457).",
        members: &[
            ("type", Text, "`about:blank`."),
            ("title", Text, "What the code means."),
            ("status", Number, "The HTTP status."),
            (
                "code",
                Named("ErrorCode"),
                "The stable word; a newer server may have words that are not listed here.",
            ),
            ("detail", Text, "What is wrong and what to do."),
            ("at?", Text, "Where: a JSON pointer into the body, or the parameter or channel at fault."),
            (
                "current?",
                Json,
                "The record as it is, where the request was made from an earlier state of it.",
            ),
        ],
    },
    Shape {
        name: "Ready",
        about: "`$ready` opens every stream.",
        members: &[
            ("session", Text, "The session's id, for changing the stream while it runs."),
            ("resumed", Flag, "Whether reading goes on after the cursor that was given."),
            ("channels", CHANNELS, "The channels and patterns subscribed."),
            ("head", CURSOR, "The log's end at this moment."),
        ],
    },
    Shape {
        name: "Reset",
        about: "`$reset`: events of these channels after the reader's cursor up to `through` cannot be given; later ones come.",
        members: &[
            ("reason", Named("ResetReason"), "Why."),
            ("channels", CHANNELS, "Which channels, as subscribed or narrower."),
            ("through", OrNull(&CURSOR), "Up to where; `null` for `unauthorized`, which has no end."),
        ],
    },
    Shape {
        name: "Subscribed",
        about: "`$subscribed`: channels are being added to the live stream; what they missed follows.",
        members: &[
            ("channels", CHANNELS, "The channels, all with the same beginning."),
            ("from", CURSOR, "After which position their events are given."),
        ],
    },
    Shape {
        name: "Joined",
        about: "`$joined`: the added channels have caught up with the stream.",
        members: &[("channels", CHANNELS, "The channels.")],
    },
    Shape {
        name: "Lagged",
        about: "`$lagged`: superseded events were left out in favour of the next one with that key.",
        members: &[("key", Text, "The conflation key."), ("skipped", Number, "How many were left out.")],
    },
    Shape {
        name: "Expiring",
        about: "`$expiring`: present a fresh credential to keep the stream.",
        members: &[("at", Named("Instant"), "When the credential ends.")],
    },
    Shape { name: "Ping", about: "`$ping`: a heartbeat, with `heartbeat=event`.", members: &[] },
    Shape {
        name: "End",
        about: "`$end`: the stream ends here.",
        members: &[
            ("reason", Named("EndReason"), "Why; a newer server may have words that are not listed here."),
            ("retry", Named("Retry"), "What the client does next."),
            ("after?", Number, "For `later`: milliseconds to wait, which the server has already spread."),
            (
                "code?",
                Named("ErrorCode"),
                "Where the stream was refused: why. `reason` then says no more than what to do.",
            ),
        ],
    },
    Shape {
        name: "Addition",
        about: "A channel or pattern to add to a live stream.",
        members: &[
            ("channel", Text, "What to subscribe to."),
            ("since?", Text, "`start`, `now` or a cursor. Default: where the stream is."),
        ],
    },
    Shape {
        name: "Change",
        about: "A change of a live stream's subscriptions; at most 1,000 entries each.",
        members: &[
            ("add?", List(&Named("Addition")), "Channels and patterns to add."),
            ("remove?", CHANNELS, "Channels and patterns to remove, as they were subscribed."),
        ],
    },
    Shape {
        name: "Refusal",
        about: "An entry of `add` that is refused.",
        members: &[("channel", Text, "The entry."), ("code", Named("ErrorCode"), "Why.")],
    },
    Shape {
        name: "Changed",
        about: "The answer to a change: what holds, and what is refused.",
        members: &[
            ("added", CHANNELS, "What was added."),
            ("refused", List(&Named("Refusal")), "What was not."),
        ],
    },
    Shape {
        name: "Page",
        about: "The answer of poll and history.",
        members: &[
            ("events", List(&Named("Event")), "In the log's order."),
            ("cursor", CURSOR, "What the next request passes as `after`."),
            ("more", Flag, "Ask again at once."),
            ("resets", List(&Named("Reset")), "As `$reset`."),
        ],
    },
    Shape {
        name: "Ticket",
        about: "A ticket for where headers cannot be sent: good once, for 30 seconds.",
        members: &[
            ("ticket", Text, "For the parameter `ticket`."),
            ("expiresAt", Named("Instant"), "When it is void."),
        ],
    },
    Shape {
        name: "EventFrame",
        about: "WebSocket, from the server: an event or control, `data` as on SSE.",
        members: &[
            ("id?", CURSOR, "The position."),
            ("event", Text, "The event's type or the control's name."),
            ("data", Json, "The event or the control."),
        ],
    },
    Shape {
        name: "PositionFrame",
        about: "WebSocket, from the server: the position has moved.",
        members: &[("id", CURSOR, "The position.")],
    },
    Shape {
        name: "OkFrame",
        about: "WebSocket, from the server: the answer to a request.",
        members: &[
            ("ref", OrNull(&TextOrNumber), "The request's."),
            ("ok", Json, "What the same request is answered over HTTP."),
        ],
    },
    Shape {
        name: "ErrorFrame",
        about: "WebSocket, from the server: the refusal of a request.",
        members: &[
            ("ref", OrNull(&TextOrNumber), "The request's; `null` where it could not be read."),
            ("error", Named("Problem"), "Why."),
        ],
    },
];

/// The controls by their names.
const CONTROLS: &[(&str, &str)] = &[
    ("$ready", "Ready"),
    ("$reset", "Reset"),
    ("$subscribed", "Subscribed"),
    ("$joined", "Joined"),
    ("$lagged", "Lagged"),
    ("$expiring", "Expiring"),
    ("$ping", "Ping"),
    ("$end", "End"),
];

/// Controls and their data, and the frames of a WebSocket.
pub(super) fn controls() -> String {
    let rows: String = CONTROLS.iter().map(|(name, data)| format!("  readonly {name}: {data};\n")).collect();
    let about = "What the server says of the stream itself: each control with its data.";
    format!(
        "\n{}export interface Controls {{\n{rows}}}\n\n{}export type ControlName = keyof Controls;\n\n{}export type ServerFrame = \
         EventFrame | PositionFrame | OkFrame | ErrorFrame;\n",
        comment("", about),
        comment("", "A control's name; no publisher may use one that begins with `$`."),
        comment("", "WebSocket, from the server."),
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value as JsonValue, json};
    use tidings_protocol::control::{Control, Reset, ResetReason};
    use tidings_protocol::problem::Problem;
    use tidings_protocol::publish::parse_publish;
    use tidings_protocol::socket::{error_frame, event_frame, ok_frame, parse_change, position_frame};
    use tidings_protocol::time::Timestamp;
    use tidings_protocol::{Cursor, EndReason, ErrorCode, Event, Lineage, Seq};

    use super::*;

    fn shape(name: &str) -> &'static Shape {
        SHAPES.iter().find(|shape| shape.name.split('<').next() == Some(name)).unwrap()
    }

    fn parsed(text: &str) -> JsonValue {
        serde_json::from_str(text).unwrap()
    }

    fn at() -> Cursor {
        Cursor::new(Seq(1), Lineage::from_bits(1))
    }

    fn events() -> [Event; 2] {
        let bare = Event {
            id: at(),
            time: Timestamp(0),
            channel: "a".parse().unwrap(),
            also: Box::new([]),
            kind: "t".parse().unwrap(),
            category: None,
            key: Some("k".into()),
            actor: None,
            version: None,
            mutation_id: None,
            terminal: false,
            data: serde_json::value::to_raw_value(&1).unwrap(),
        };
        let full = Event {
            also: Box::new(["b".parse().unwrap()]),
            category: Some("C".parse().unwrap()),
            actor: Some("u".into()),
            version: Some(1),
            mutation_id: Some("m".into()),
            terminal: true,
            ..bare.clone()
        };
        [bare, full]
    }

    #[test]
    fn events_are_as_described() {
        // Without parameters, which are TypeScript's.
        let Shape { about, members, .. } = shape("Event");
        let members: &[_] = Box::leak(
            members
                .iter()
                .map(|(name, value, about)| {
                    let value = if matches!(value, Named("Data")) { Json } else { *value };
                    (*name, value, *about)
                })
                .collect::<Box<_>>(),
        );
        Shape { name: "Event", about, members }.describes(&events().map(|event| parsed(&event.to_json())));
    }

    fn controls() -> Vec<Control> {
        let channels = vec!["a:*".parse().unwrap()];
        let reset = |reason, through| Control::Reset(Reset { reason, channels: channels.clone(), through });
        vec![
            Control::Ready { session: "s".into(), resumed: true, channels: channels.clone(), head: at() },
            reset(ResetReason::Expired, Some(at())),
            reset(ResetReason::Unauthorized, None),
            Control::Subscribed { channels: channels.clone(), from: at() },
            Control::Joined { channels: channels.clone() },
            Control::Lagged { key: "k".into(), skipped: 2 },
            Control::Expiring { at: Timestamp(0) },
            Control::Ping,
            Control::End { reason: EndReason::Capacity, after: Some(Duration::from_secs(1)) },
            Control::End { reason: EndReason::Revoked, after: None },
            Control::Refused { code: ErrorCode::NotFound, reason: EndReason::EndedByAdmin, after: None },
        ]
    }

    #[test]
    fn controls_are_as_described() {
        let controls = controls();
        for (name, data) in CONTROLS {
            let told = controls.iter().filter(|control| control.name() == *name);
            let told: Vec<JsonValue> = told.map(|control| parsed(&control.to_json())).collect();
            assert!(!told.is_empty(), "{name}");
            shape(data).describes(&told);
        }
        assert!(controls.iter().all(|control| CONTROLS.iter().any(|(name, _)| *name == control.name())));
    }

    #[test]
    fn every_member_of_a_draft_is_read() {
        let sample = |name: &str| match name {
            "also" => json!(["b"]),
            "version" => json!(1),
            "terminal" => json!(true),
            "category" => json!("C"),
            _ => json!("x"),
        };
        let members = shape("Draft").members.iter().map(|(name, ..)| name.trim_end_matches('?'));
        let full: JsonValue =
            members.map(|name| (name.to_owned(), sample(name))).collect::<serde_json::Map<_, _>>().into();
        let read =
            |body: &JsonValue| parse_publish(body.to_string().as_bytes()).map(|drafts| format!("{drafts:?}"));
        let whole = read(&full).unwrap();
        for (member, ..) in shape("Draft").members {
            let mut less = full.clone();
            less.as_object_mut().unwrap().remove(member.trim_end_matches('?'));
            match read(&less) {
                Ok(less) => assert!(member.ends_with('?') && less != whole, "{member}"),
                Err(_) => assert!(!member.ends_with('?'), "{member}"),
            }
        }
        // A member that is not described would be `None` here.
        assert!(!whole.contains("None"), "{whole}");
    }

    #[test]
    fn problems_are_as_described() {
        let bare = Problem::of(ErrorCode::NotFound);
        let full = bare.clone().at("/a").current(serde_json::value::to_raw_value(&1).unwrap());
        shape("Problem").describes(&[parsed(&bare.to_json()), parsed(&full.to_json())]);
    }

    #[test]
    fn changes_are_read_as_described() {
        let body = json!({"add": [{"channel": "a", "since": "start"}, {"channel": "b"}], "remove": ["c"]});
        shape("Change").describes(std::slice::from_ref(&body));
        shape("Addition").describes(body["add"].as_array().unwrap());
        let change = parse_change(body.to_string().as_bytes()).unwrap();
        assert_eq!((change.add.len(), change.remove.len()), (2, 1));
        assert!(change.add[0].since.is_some());
    }

    #[test]
    fn frames_are_as_described() {
        let events = [Some(at()), None].map(|id| parsed(&event_frame(id, "t", "1")));
        shape("EventFrame").describes(&events);
        shape("PositionFrame").describes(&[parsed(&position_frame(at()))]);
        shape("OkFrame")
            .describes(&[Some("1"), Some("\"r\""), None].map(|reference| parsed(&ok_frame(reference, "{}"))));
        let problem = Problem::of(ErrorCode::InvalidBody);
        shape("ErrorFrame").describes(&[parsed(&error_frame(None, &problem))]);
    }
}
