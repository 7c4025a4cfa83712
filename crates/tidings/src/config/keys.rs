//! The table of all keys. Parsing, `config print` and the reference page are made from it; defaults stand in
//! [`Settings::default`](super::Settings).

use super::key::{Field, Key};
use super::settings::APPS;

/// Keys that belong together, in the order of the reference page.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) title: &'static str,
    pub(crate) keys: &'static [Key],
}

/// Every group.
pub(crate) const GROUPS: &[Group] = &[
    Group { title: "Where it listens and who stands in front", keys: EDGE },
    Group { title: "What is kept, and where", keys: STORAGE },
    Group { title: "What clients may hold and send", keys: LIMITS },
    Group { title: "How streams behave", keys: STREAMS },
    Group { title: "How users sign in, and what they may do", keys: USERS },
    Group { title: "Whose tokens are believed", keys: TOKENS },
    Group { title: "Apps", keys: APP_KEYS },
];

/// Every key.
pub(crate) fn all() -> impl Iterator<Item = &'static Key> {
    GROUPS.iter().flat_map(|group| group.keys)
}

/// The key of that name.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    all().find(|key| key.name == name)
}

const fn plain(name: &'static str, field: Field, meaning: &'static str) -> Key {
    Key { name, field, zero: None, least: 0, meaning }
}

const fn at_least(least: u64, name: &'static str, field: Field, meaning: &'static str) -> Key {
    Key { name, field, zero: None, least, meaning }
}

/// A limit that zero switches off.
const fn limit(name: &'static str, field: Field, meaning: &'static str) -> Key {
    Key { name, field, zero: Some("no limit"), least: 0, meaning }
}

const EDGE: &[Key] = &[
    plain(
        "listen",
        Field::Addresses(|s| &mut s.server.listen),
        "Addresses to accept connections at. Port 0 takes any free one, which the ready line tells. Other machines can \
         reach the server only with `tls.cert` and `tls.key`, or with `behind_proxy`.",
    ),
    plain(
        "public_url",
        Field::Origin(|s| &mut s.server.public_url),
        "The origin under which browsers reach the server. Without it, the scheme and `Host` of each request are taken.",
    ),
    plain(
        "behind_proxy",
        Field::Flag(|s| &mut s.server.behind_proxy),
        "A proxy in front ends TLS and names the client's address (`X-Forwarded-For`, `X-Forwarded-Proto`). Set it only \
         where nothing but the proxy can connect, since whoever can is believed.",
    ),
    plain(
        "cors.origins",
        Field::Origins(|s| &mut s.server.cors_origins),
        "Origins, besides the server's own, whose pages may use the server with credentials; compared exactly.",
    ),
    plain(
        "tls.cert",
        Field::File(|s| &mut s.tls_cert),
        "The certificate (PEM), followed by those that lead from it to one that clients know. With it and `tls.key` every \
         address speaks TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1. When the files change, or on SIGHUP, new connections take \
         the new ones within seconds; where those cannot be used, the log says why and the old ones stay.",
    ),
    plain(
        "tls.key",
        Field::File(|s| &mut s.tls_key),
        "The certificate's key (PEM, without a passphrase), which no other user should be able to read.",
    ),
    at_least(
        1,
        "drain.timeout",
        Field::Duration(|s| &mut s.server.drain_timeout),
        "Leaving takes at most so long: streams are told and spread their return, requests are finished.",
    ),
];

const STORAGE: &[Key] = &[
    plain(
        "data_dir",
        Field::Folder(|s| &mut s.data_dir),
        "The directory of the database, the admin socket and the demo key, seen from where the server is started. One \
         server at a time uses it.",
    ),
    plain(
        "store.url",
        Field::Url(|s| &mut s.store_url),
        "Where the log is: `sqlite` (in `data_dir`) or a PostgreSQL URL. PostgreSQL is not in this build yet.",
    ),
    plain(
        "tail.url",
        Field::Url(|s| &mut s.tail_url),
        "How nodes tell each other that there is more: `in-process` (one node), a `nats://` or a `redis://` URL. More \
         than one node is not in this build yet.",
    ),
    plain(
        "log.durability",
        Field::Durability(|s| &mut s.durability),
        "When a publish is answered: after `fsync`, so that it outlives a loss of power; or once the operating system \
         (`os`) has it, so that it outlives the process, and the last moments may go with the power.",
    ),
    Key {
        zero: Some("for ever"),
        ..at_least(
            1_000,
            "log.retention.age",
            Field::Duration(|s| &mut s.policy.retention_age),
            "Events older than this are removed.",
        )
    },
    limit(
        "log.retention.events_per_channel",
        Field::Count64(|s| &mut s.policy.events_per_channel),
        "Each channel keeps at most so many events.",
    ),
    at_least(
        1,
        "log.retention.marks",
        Field::Count64(|s| &mut s.policy.trim_marks),
        "Each tenant remembers of so many channels how far they were trimmed; past that, the oldest marks give way to one \
         for all channels, and readers from before it are told of a gap.",
    ),
    limit(
        "limits.idempotency_keys",
        Field::Count64(|s| &mut s.policy.idempotency_keys),
        "Idempotency keys that one tenant may use within 24 hours.",
    ),
    Key {
        zero: Some("for ever"),
        ..at_least(
            1_000,
            "audit.retention",
            Field::Duration(|s| &mut s.policy.audit_age),
            "Rows of the audit log older than this are removed.",
        )
    },
    at_least(
        1,
        "audit.queue",
        Field::Count(|s| &mut s.server.audit.queue),
        "Rows of the audit log that wait to be written. While more do, new streams and sign-ins wait for room, and are \
         refused after some seconds; nothing is dropped.",
    ),
];

const LIMITS: &[Key] = &[
    limit(
        "limits.streams_per_user",
        Field::Count(|s| &mut s.server.limits.streams_per_user),
        "Streams (SSE and WebSocket) that one user may have open.",
    ),
    limit(
        "limits.streams_per_key",
        Field::Count(|s| &mut s.server.limits.streams_per_key),
        "Streams that one service key may have open.",
    ),
    limit(
        "limits.connects_per_minute.anonymous",
        Field::Count32(|s| &mut s.server.limits.connects_anonymous),
        "Streams opened a minute without a valid credential, by one address.",
    ),
    limit(
        "limits.connects_per_minute.session",
        Field::Count32(|s| &mut s.server.limits.connects_session),
        "Streams opened a minute by one signed-in user.",
    ),
    limit(
        "limits.connects_per_minute.api_key",
        Field::Count32(|s| &mut s.server.limits.connects_api_key),
        "Streams opened a minute with one key.",
    ),
    limit(
        "limits.logins_per_minute",
        Field::Count32(|s| &mut s.server.limits.logins_per_minute),
        "Passwords tried a minute, from one address and for one email.",
    ),
    at_least(
        16 * 1024,
        "limits.stream_buffer",
        Field::Size(|s| &mut s.server.limits.stream_buffer),
        "Bytes that may wait for one connection, the socket's send buffer counted in. A reader that falls further behind \
         loses nothing: it goes on from the log at its own pace.",
    ),
    limit(
        "limits.channels_per_session",
        Field::Count(|s| &mut s.server.limits.channels_per_session),
        "Channels and patterns that one session may subscribe to.",
    ),
    Key {
        zero: Some("what the open-file limit allows"),
        ..limit(
            "limits.connections",
            Field::Count(|s| &mut s.server.limits.connections),
            "Connections held at once.",
        )
    },
    limit(
        "limits.connections_per_address",
        Field::Count(|s| &mut s.server.limits.connections_per_address),
        "Connections held at once by one address.",
    ),
    at_least(
        1,
        "limits.header_timeout",
        Field::Duration(|s| &mut s.server.limits.header_timeout),
        "The head of a request must have come by then, also the first byte of the next one on a kept connection.",
    ),
    at_least(
        1,
        "limits.body_timeout",
        Field::Duration(|s| &mut s.server.limits.body_timeout),
        "The body of a request must have come by then.",
    ),
    at_least(
        8 * 1024,
        "limits.header_bytes",
        Field::Size(|s| &mut s.server.limits.header_bytes),
        "The largest request head.",
    ),
    at_least(
        1024,
        "limits.message_bytes",
        Field::Size(|s| &mut s.server.limits.message_bytes),
        "The largest WebSocket message from a client.",
    ),
    at_least(
        1,
        "limits.tickets",
        Field::Count(|s| &mut s.server.limits.tickets),
        "Tickets that are out at once for one principal.",
    ),
    at_least(
        1,
        "limits.poll_events",
        Field::Count(|s| &mut s.server.limits.poll_events),
        "Events in one answer of poll and history.",
    ),
];

const STREAMS: &[Key] = &[
    at_least(
        10,
        "stream.heartbeat",
        Field::Duration(|s| &mut s.server.stream.heartbeat),
        "How often a quiet stream gets a sign of life. Shorter than what proxies in between allow a quiet connection.",
    ),
    at_least(
        10,
        "stream.write_timeout",
        Field::Duration(|s| &mut s.server.stream.write_timeout),
        "A connection that takes no byte for so long is reset.",
    ),
    Key {
        zero: Some("no end"),
        ..at_least(
            10,
            "stream.lifetime",
            Field::Duration(|s| &mut s.server.stream.lifetime),
            "The longest life of a native stream; it ends with `lifetime` and goes on where it stopped.",
        )
    },
    at_least(
        10,
        "stream.pong_timeout",
        Field::Duration(|s| &mut s.server.stream.pong_timeout),
        "A WebSocket client that answers no ping for so long is closed.",
    ),
    Key {
        zero: Some("no end"),
        ..at_least(
            10,
            "stream.casts_lifetime",
            Field::Duration(|s| &mut s.casts_lifetime),
            "The longest life of a stream under `/api/casts`; it ends with `lifetime` and goes on where it stopped.",
        )
    },
];

const USERS: &[Key] = &[
    at_least(
        1_000,
        "auth.session_lifetime",
        Field::Duration(|s| &mut s.server.auth.session_lifetime),
        "How long a browser stays signed in.",
    ),
    plain(
        "auth.cookie_same_site",
        Field::SameSite(|s| &mut s.server.auth.cookie_same_site),
        "Whether a browser adds the session's cookie to requests of other sites' pages (`none`) or not (`lax`). `none` \
         needs TLS; the pages' origins must be in `cors.origins` all the same.",
    ),
    plain(
        "auth.user_grants",
        Field::Grants(|s| &mut s.server.auth.user_grants),
        "What every signed-in user may do besides what the apps allow: `publish:<pattern>`, `subscribe:<pattern>`, e.g. \
         `subscribe:news:*`.",
    ),
];

const TOKENS: &[Key] = &[plain(
    "auth.issuers",
    Field::Issuers(|s| &mut s.issuers),
    "Who else says who somebody is: issuers of JSON Web Tokens (RFC 7519). The token's exact `iss` finds the issuer, whose \
     keys alone verify it. It needs `iss`, `aud`, `sub` and `exp`; its claim `tidings` may have `subscribe` and `publish` \
     (lists of patterns) and `role` (`member` or `admin`). In the variable, a JSON array of objects.",
)];

const APP_KEYS: &[Key] = &[
    plain(
        "apps",
        Field::Words(&APPS, |s| &mut s.apps),
        "The apps that are served. `casts` is in this build; the others are not yet.",
    ),
    plain(
        "webhooks.github.secret",
        Field::Secret(|s| &mut s.github_secret),
        "The secret of GitHub's webhooks for the tenant `default`. `tidings webhook add` adds further ones, for this tenant \
         and others.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_distinct_and_so_are_their_variables() {
        let names: HashSet<_> = all().map(|key| key.name).collect();
        let variables: HashSet<_> = all().map(Key::variable).collect();
        assert_eq!((names.len(), variables.len()), (all().count(), all().count()));
    }
}
