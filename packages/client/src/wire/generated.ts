// Generated from the Rust types of the wire. Do not edit: change those, then run `cargo xtask ts-types`.

/** Which code closes a WebSocket after an `$end`, by what the client does next. */
export const RETRY_CLOSE_CODES = {
  /** Come back at once. */
  now: 4000,
  /** Come back after the time the server names. */
  later: 4001,
  /** Sign in again first. */
  auth: 4002,
  /** Do not come back. */
  never: 4003,
} as const;

/** What a client does when its stream has ended. */
export type Retry = keyof typeof RETRY_CLOSE_CODES;

/** Why a stream ended: each reason with what the client does next. */
export const END_REASONS = {
  /** What the stream told of has ended; nothing follows. */
  terminal_state: 'never',
  /** The stream has reached the longest life a stream has here. */
  lifetime: 'now',
  /** The server is being stopped or replaced. */
  server_shutdown: 'later',
  /** Too many connections were opened in too short a time. */
  rate_limited: 'later',
  /** The server, or the credential's share of it, cannot carry the stream now. */
  capacity: 'later',
  /** The credential's time is over. */
  expired: 'auth',
  /** The session that opened the stream was signed out. */
  signed_out: 'auth',
  /** The credential was revoked, or lost its right to every channel of the stream. */
  revoked: 'auth',
  /** The user is no longer a member of what the stream tells of. */
  membership_ended: 'never',
  /** An administrator ended the stream. */
  ended_by_admin: 'never',
  /** Another stream took this one's place. */
  replaced: 'never',
} as const;

/** Why a stream ended. */
export type EndReason = keyof typeof END_REASONS;

/** Why events can no longer be given. `expired`: retention has removed them; `unknown`: the cursor is of another history; `unauthorized`: the right to the channels has ended. */
export type ResetReason = 'expired' | 'unknown' | 'unauthorized';

/** Why a request is refused: each code with its HTTP status. */
export const ERROR_CODES = {
  /** The body is not the JSON that this route takes. */
  invalid_body: 400,
  /** A parameter is missing, repeated or has a value it cannot have. */
  invalid_parameter: 400,
  /** A channel or pattern is malformed. */
  invalid_channel: 400,
  /** An event type or category is malformed. */
  invalid_type: 400,
  /** The types `error` and `open` belong to EventSource. */
  reserved_type: 400,
  /** A cursor is malformed; pass back an id exactly as it was received. */
  invalid_cursor: 400,
  /** An event's data is nested too deep. */
  invalid_data: 400,
  /** One publish takes 1 to 100 events. */
  too_many_events: 400,
  /** One publish names the same idempotency key twice on a channel. */
  idempotency_key_repeated: 400,
  /** The session, ticket or request names more channels than allowed. */
  too_many_channels: 400,
  /** A valid credential is needed. */
  unauthenticated: 401,
  /** The email or the password is wrong, or the user may not sign in. */
  invalid_login: 401,
  /** The ticket was used, has expired or is void; ask for a new one. */
  ticket_spent: 401,
  /** The credential's time was over while the poll waited. */
  expired: 401,
  /** The session was signed out while the poll waited. */
  signed_out: 401,
  /** The credential was revoked while the poll waited. */
  revoked: 401,
  /** The credential gives no right to this channel. */
  forbidden_channel: 403,
  /** The credential gives no right to do this. */
  forbidden: 403,
  /** The channel belongs to an app; publish through the app's own route. */
  reserved_channel: 403,
  /** The page's origin may not do this; add it to `cors.origins` if it should. */
  wrong_origin: 403,
  /** There is nothing at this address. */
  not_found: 404,
  /** No stream of this credential has that session id. */
  session_unknown: 404,
  /** The address does not take this method. */
  method_not_allowed: 405,
  /** The request took too long to arrive. */
  request_timeout: 408,
  /** A terminal event has ended the channel; nothing follows on it. */
  channel_ended: 409,
  /** The record's state does not allow this; the answer has it as it is. */
  illegal_transition: 409,
  /** The record has changed since the version named; the answer has it as it is. */
  version_conflict: 409,
  /** There is a record with this id already. */
  already_exists: 409,
  /** The idempotency key was used before with another body. */
  idempotency_conflict: 409,
  /** The record is not at the version of `If-Match`; the answer has it as it is. */
  precondition_failed: 412,
  /** The body, or one event's data, is larger than allowed. */
  body_too_large: 413,
  /** The request target is longer than 8 KiB; name channels by POST or add them live. */
  uri_too_long: 414,
  /** The body is compressed; send it as it is. */
  unsupported_encoding: 415,
  /** This address speaks WebSocket version 13. */
  upgrade_required: 426,
  /** Too many requests; try again after the time named. */
  rate_limited: 429,
  /** The user or key has as many streams open as it may have. */
  too_many_streams: 429,
  /** The tenant has used as many idempotency keys as it may within 24 hours. */
  idempotency_quota: 429,
  /** The request's header fields are larger than allowed. */
  headers_too_large: 431,
  /** The server failed; the request may or may not have had its effect. */
  internal: 500,
  /** The log cannot be written until the server is restarted; whether this event was stored is unknown. */
  storage_failed: 503,
  /** The server cannot take the request now. */
  capacity: 503,
  /** The server is being stopped or replaced. */
  server_shutdown: 503,
} as const;

/** Why a request is refused. */
export type ErrorCode = keyof typeof ERROR_CODES;

/** A position in a tenant's log: 21 characters. Pass it back as it was received; compare, never build. */
export type Cursor = string & { readonly __kind: 'cursor' };

/** An instant: RFC 3339 in UTC with milliseconds. */
export type Instant = string;

/** One fact, as subscribers receive it. */
export interface Event<Data = unknown> {
  /** Its position in the log; the same in replays, retries and history. */
  readonly id: Cursor;
  /** The channel it was published to. */
  readonly channel: string;
  /** What kind of fact it is. */
  readonly type: string;
  /** When it was committed, by the server's clock; says nothing about order. */
  readonly time: Instant;
  /** The payload. */
  readonly data: Data;
  /** Further channels whose subscribers receive it too. */
  readonly also?: readonly string[];
  /** A coarser grouping. */
  readonly category?: string;
  /** Who did it. */
  readonly actor?: string;
  /** The version of the record that it tells of. */
  readonly version?: number;
  /** The publisher's own name for the change, so that a client knows its own. */
  readonly mutationId?: string;
  /** Nothing follows on `channel`. */
  readonly terminal?: true;
}

/** An event to be published. */
export interface Draft<Data = unknown> {
  /** Where to: segments of `[A-Za-z0-9._~@/-]+` joined by `:`, at most 200 bytes. */
  readonly channel: string;
  /** What kind of fact: 1 to 100 of `A-Z a-z 0-9 _ . : -`; not `error`, not `open`. */
  readonly type: string;
  /** The payload: any JSON, at most 64 KiB, 64 levels deep. */
  readonly data: Data;
  /** At most 8 further channels whose subscribers receive it too. */
  readonly also?: readonly string[];
  /** Conflation key: of events that wait for one connection, a later one with the same channel, `also` and key stands for the earlier. */
  readonly key?: string;
  /** A coarser grouping for subscribers: 1 to 40 of `A-Z _`. */
  readonly category?: string;
  /** The version of the record that it tells of: a whole number up to 2^53 - 1. */
  readonly version?: number;
  /** The publisher's own name for the change, 1 to 200 bytes. */
  readonly mutationId?: string;
  /** Whether nothing follows on `channel`. Default: false. */
  readonly terminal?: boolean;
  /** Who did it, 1 to 200 bytes; from service keys only. */
  readonly actor?: string;
  /** 1 to 255 bytes; makes retries one event, per channel, for at least 24 hours. */
  readonly idempotencyKey?: string;
}

/** What became of a published event. */
export interface Receipt {
  /** Its position in the log. */
  readonly id: Cursor;
  /** Whether it had been published before under its idempotency key. */
  readonly duplicate: boolean;
}

/** Why a request was refused (RFC 9457). */
export interface Problem {
  /** `about:blank`. */
  readonly type: string;
  /** What the code means. */
  readonly title: string;
  /** The HTTP status. */
  readonly status: number;
  /** The stable word; a newer server may have words that are not listed here. */
  readonly code: ErrorCode;
  /** What is wrong and what to do. */
  readonly detail: string;
  /** Where: a JSON pointer into the body, or the parameter or channel at fault. */
  readonly at?: string;
  /** The record as it is, where the request was made from an earlier state of it. */
  readonly current?: unknown;
}

/** `$ready` opens every stream. */
export interface Ready {
  /** The session's id, for changing the stream while it runs. */
  readonly session: string;
  /** Whether reading goes on after the cursor that was given. */
  readonly resumed: boolean;
  /** The channels and patterns subscribed. */
  readonly channels: readonly string[];
  /** The log's end at this moment. */
  readonly head: Cursor;
}

/** `$reset`: events of these channels after the reader's cursor up to `through` cannot be given; later ones come. */
export interface Reset {
  /** Why. */
  readonly reason: ResetReason;
  /** Which channels, as subscribed or narrower. */
  readonly channels: readonly string[];
  /** Up to where; `null` for `unauthorized`, which has no end. */
  readonly through: Cursor | null;
}

/** `$subscribed`: channels are being added to the live stream; what they missed follows. */
export interface Subscribed {
  /** The channels, all with the same beginning. */
  readonly channels: readonly string[];
  /** After which position their events are given. */
  readonly from: Cursor;
}

/** `$joined`: the added channels have caught up with the stream. */
export interface Joined {
  /** The channels. */
  readonly channels: readonly string[];
}

/** `$lagged`: superseded events were left out in favour of the next one with that key. */
export interface Lagged {
  /** The conflation key. */
  readonly key: string;
  /** How many were left out. */
  readonly skipped: number;
}

/** `$expiring`: present a fresh credential to keep the stream. */
export interface Expiring {
  /** When the credential ends. */
  readonly at: Instant;
}

/** `$ping`: a heartbeat, with `heartbeat=event`. */
export interface Ping {
}

/** `$end`: the stream ends here. */
export interface End {
  /** Why; a newer server may have words that are not listed here. */
  readonly reason: EndReason;
  /** What the client does next. */
  readonly retry: Retry;
  /** For `later`: milliseconds to wait, which the server has already spread. */
  readonly after?: number;
  /** Where the stream was refused: why. `reason` then says no more than what to do. */
  readonly code?: ErrorCode;
}

/** A channel or pattern to add to a live stream. */
export interface Addition {
  /** What to subscribe to. */
  readonly channel: string;
  /** `start`, `now` or a cursor. Default: where the stream is. */
  readonly since?: string;
}

/** A change of a live stream's subscriptions; at most 1,000 entries each. */
export interface Change {
  /** Channels and patterns to add. */
  readonly add?: readonly Addition[];
  /** Channels and patterns to remove, as they were subscribed. */
  readonly remove?: readonly string[];
}

/** An entry of `add` that is refused. */
export interface Refusal {
  /** The entry. */
  readonly channel: string;
  /** Why. */
  readonly code: ErrorCode;
}

/** The answer to a change: what holds, and what is refused. */
export interface Changed {
  /** What was added. */
  readonly added: readonly string[];
  /** What was not. */
  readonly refused: readonly Refusal[];
}

/** The answer of poll and history. */
export interface Page {
  /** In the log's order. */
  readonly events: readonly Event[];
  /** What the next request passes as `after`. */
  readonly cursor: Cursor;
  /** Ask again at once. */
  readonly more: boolean;
  /** As `$reset`. */
  readonly resets: readonly Reset[];
}

/** A ticket for where headers cannot be sent: good once, for 30 seconds. */
export interface Ticket {
  /** For the parameter `ticket`. */
  readonly ticket: string;
  /** When it is void. */
  readonly expiresAt: Instant;
}

/** WebSocket, from the server: an event or control, `data` as on SSE. */
export interface EventFrame {
  /** The position. */
  readonly id?: Cursor;
  /** The event's type or the control's name. */
  readonly event: string;
  /** The event or the control. */
  readonly data: unknown;
}

/** WebSocket, from the server: the position has moved. */
export interface PositionFrame {
  /** The position. */
  readonly id: Cursor;
}

/** WebSocket, from the server: the answer to a request. */
export interface OkFrame {
  /** The request's. */
  readonly ref: string | number | null;
  /** What the same request is answered over HTTP. */
  readonly ok: unknown;
}

/** WebSocket, from the server: the refusal of a request. */
export interface ErrorFrame {
  /** The request's; `null` where it could not be read. */
  readonly ref: string | number | null;
  /** Why. */
  readonly error: Problem;
}

/** What the server says of the stream itself: each control with its data. */
export interface Controls {
  readonly $ready: Ready;
  readonly $reset: Reset;
  readonly $subscribed: Subscribed;
  readonly $joined: Joined;
  readonly $lagged: Lagged;
  readonly $expiring: Expiring;
  readonly $ping: Ping;
  readonly $end: End;
}

/** A control's name; no publisher may use one that begins with `$`. */
export type ControlName = keyof Controls;

/** WebSocket, from the server. */
export type ServerFrame = EventFrame | PositionFrame | OkFrame | ErrorFrame;

/** Longest channel name, in bytes. */
export const CHANNEL_BYTES = 200;

/** Longest event type, in bytes. */
export const TYPE_BYTES = 100;

/** Longest category, in bytes. */
export const CATEGORY_BYTES = 40;

/** Largest `data` of one event, in bytes of JSON. */
export const DATA_BYTES = 65_536;

/** Deepest nesting of arrays and objects in `data`. */
export const DATA_DEPTH = 64;

/** Most events in one publish. */
export const BATCH_EVENTS = 100;

/** Largest body of one publish, in bytes. */
export const BATCH_BYTES = 1_048_576;

/** Most further channels (`also`) of one event. */
export const ALSO_CHANNELS = 8;

/** Longest conflation key, mutation id and actor, in bytes. */
export const WORD_BYTES = 200;

/** Longest idempotency key, in bytes. */
export const IDEMPOTENCY_KEY_BYTES = 255;

/** Longest request target, in bytes; more channels than fit go by `POST` or are added live. */
export const URL_BYTES = 8_192;

/** Most bytes after the head of a stream's request before it is closed. */
export const STREAM_TRAILING_BYTES = 8_192;

/** Longest tenant name, in bytes. */
export const TENANT_BYTES = 63;

/** Most types and most categories in one filter. */
export const FILTER_WORDS = 100;
