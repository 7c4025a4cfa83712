//! The one table of codes: why streams end and why requests are refused.
//!
//! Server, audit log, WebSocket, clients and the reference page all take their words from here.

/// What a client does when its stream has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// Come back at once.
    Now,
    /// Come back after the time the server names.
    Later,
    /// Sign in again first.
    Auth,
    /// Do not come back.
    Never,
}

impl Retry {
    /// The word on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::Later => "later",
            Self::Auth => "auth",
            Self::Never => "never",
        }
    }

    /// The WebSocket close code that follows the `$end`.
    #[must_use]
    pub const fn close_code(self) -> u16 {
        match self {
            Self::Now => 4000,
            Self::Later => 4001,
            Self::Auth => 4002,
            Self::Never => 4003,
        }
    }
}

macro_rules! end_reasons {
    ($($variant:ident $name:literal $retry:ident $wire:literal $meaning:literal;)*) => {
        /// Why a stream ended.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum EndReason {
            $(#[doc = $meaning] $variant,)*
        }

        impl EndReason {
            /// Every row of the table, in its order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word on the wire and in the audit log.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What the client does next.
            #[must_use]
            pub const fn retry(self) -> Retry {
                match self { $(Self::$variant => Retry::$retry,)* }
            }

            /// Whether a client can be told; the others stand only in audit log and metrics.
            #[must_use]
            pub const fn is_on_wire(self) -> bool {
                match self { $(Self::$variant => $wire,)* }
            }

            /// What it means, in a sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }
    };
}

end_reasons! {
    TerminalState "terminal_state" Never true "What the stream told of has ended; nothing follows.";
    Lifetime "lifetime" Now true "The stream has reached the longest life a stream has here.";
    ServerShutdown "server_shutdown" Later true "The server is being stopped or replaced.";
    RateLimited "rate_limited" Later true "Too many connections were opened in too short a time.";
    Capacity "capacity" Later true "The server, or the credential's share of it, cannot carry the stream now.";
    Expired "expired" Auth true "The credential's time is over.";
    SignedOut "signed_out" Auth true "The session that opened the stream was signed out.";
    Revoked "revoked" Auth true "The credential was revoked, or lost its right to every channel of the stream.";
    MembershipEnded "membership_ended" Never true "The user is no longer a member of what the stream tells of.";
    EndedByAdmin "ended_by_admin" Never true "An administrator ended the stream.";
    Replaced "replaced" Never true "Another stream took this one's place.";
    ClientDisconnect "client_disconnect" Now false "The client went away.";
    Timeout "timeout" Now false "The stream reached its lifetime (the audit log's word for `lifetime`).";
    ServerCrash "server_crash" Now false "The server died with the stream open; noted at its next start.";
    WriteStalled "write_stalled" Now false "The client took no byte for `stream.write_timeout`; the connection was reset.";
    ProtocolError "protocol_error" Now false "The client broke the rules of the protocol; a WebSocket close code says how.";
}

macro_rules! error_codes {
    ($($variant:ident $name:literal $status:literal $meaning:literal;)*) => {
        /// Why a request was refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $(#[doc = $meaning] $variant,)*
        }

        impl ErrorCode {
            /// Every row of the table, in its order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable word.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The HTTP status.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// What it means, in a sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }
    };
}

error_codes! {
    InvalidBody "invalid_body" 400 "The body is not the JSON that this route takes.";
    InvalidParameter "invalid_parameter" 400 "A parameter is missing, repeated or has a value it cannot have.";
    InvalidChannel "invalid_channel" 400 "A channel or pattern is malformed.";
    InvalidType "invalid_type" 400 "An event type or category is malformed.";
    ReservedType "reserved_type" 400 "The types `error` and `open` belong to EventSource.";
    InvalidCursor "invalid_cursor" 400 "A cursor is malformed; pass back an id exactly as it was received.";
    InvalidData "invalid_data" 400 "An event's data is nested too deep.";
    TooManyEvents "too_many_events" 400 "One publish takes 1 to 100 events.";
    IdempotencyKeyRepeated "idempotency_key_repeated" 400 "One publish names the same idempotency key twice on a channel.";
    TooManyChannels "too_many_channels" 400 "The session, ticket or request names more channels than allowed.";
    Unauthenticated "unauthenticated" 401 "A valid credential is needed.";
    InvalidLogin "invalid_login" 401 "The email or the password is wrong, or the user may not sign in.";
    TicketSpent "ticket_spent" 401 "The ticket was used, has expired or is void; ask for a new one.";
    Expired "expired" 401 "The credential's time was over while the poll waited.";
    SignedOut "signed_out" 401 "The session was signed out while the poll waited.";
    Revoked "revoked" 401 "The credential was revoked while the poll waited.";
    ForbiddenChannel "forbidden_channel" 403 "The credential gives no right to this channel.";
    Forbidden "forbidden" 403 "The credential gives no right to do this.";
    ReservedChannel "reserved_channel" 403 "The channel belongs to an app; publish through the app's own route.";
    WrongOrigin "wrong_origin" 403 "The page's origin may not do this; add it to `cors.origins` if it should.";
    NotFound "not_found" 404 "There is nothing at this address.";
    SessionUnknown "session_unknown" 404 "No stream of this credential has that session id.";
    MethodNotAllowed "method_not_allowed" 405 "The address does not take this method.";
    RequestTimeout "request_timeout" 408 "The request took too long to arrive.";
    ChannelEnded "channel_ended" 409 "A terminal event has ended the channel; nothing follows on it.";
    IllegalTransition "illegal_transition" 409 "The record's state does not allow this; the answer has it as it is.";
    VersionConflict "version_conflict" 409 "The record has changed since the version named; the answer has it as it is.";
    AlreadyExists "already_exists" 409 "There is a record with this id already.";
    IdempotencyConflict "idempotency_conflict" 409 "The idempotency key was used before with another body.";
    PreconditionFailed "precondition_failed" 412 "The record is not at the version of `If-Match`; the answer has it as it is.";
    BodyTooLarge "body_too_large" 413 "The body, or one event's data, is larger than allowed.";
    UriTooLong "uri_too_long" 414 "The request target is longer than 8 KiB; name channels by POST or add them live.";
    UnsupportedEncoding "unsupported_encoding" 415 "The body is compressed; send it as it is.";
    UpgradeRequired "upgrade_required" 426 "This address speaks WebSocket version 13.";
    RateLimited "rate_limited" 429 "Too many requests; try again after the time named.";
    TooManyStreams "too_many_streams" 429 "The user or key has as many streams open as it may have.";
    IdempotencyQuota "idempotency_quota" 429 "The tenant has used as many idempotency keys as it may within 24 hours.";
    HeadersTooLarge "headers_too_large" 431 "The request's header fields are larger than allowed.";
    Internal "internal" 500 "The server failed; the request may or may not have had its effect.";
    StorageFailed "storage_failed" 503 "The log cannot be written until the server is restarted; whether this event was stored is unknown.";
    Capacity "capacity" 503 "The server cannot take the request now.";
    ServerShutdown "server_shutdown" 503 "The server is being stopped or replaced.";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_distinct_and_snake_case() {
        let reasons = EndReason::ALL.iter().map(|reason| reason.name());
        let errors = ErrorCode::ALL.iter().map(|code| code.name());
        for names in [reasons.collect::<Vec<_>>(), errors.collect::<Vec<_>>()] {
            let distinct: HashSet<_> = names.iter().collect();
            assert_eq!(distinct.len(), names.len());
            assert!(
                names.iter().all(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
            );
        }
    }

    #[test]
    fn statuses_are_client_or_server_errors() {
        assert!(ErrorCode::ALL.iter().all(|code| (400..600).contains(&code.status())));
    }
}
