// Generated from the Rust types of the wire. Do not edit: change those, then run `cargo xtask ts-types`.

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

/** A cast's status. */
export type CastStatus =
  /** It waits for its turn. */
  | 'queued'
  /** It is being carried out. */
  | 'running'
  /** It ended well. */
  | 'succeeded'
  /** It ended badly. */
  | 'failed'
  /** It was ended before its end. */
  | 'cancelled';

/** The type of a cast's event on `cast:{id}`; other types are relayed as a backend sent them. */
export type CastEventKind =
  | 'STATUS_CHANGED'
  | 'PROGRESS_UPDATE'
  | 'STARTED'
  | 'COMPLETED'
  | 'FAILED'
  | 'ARTIFACT_READY';

/** The record of a cast. */
export interface Cast {
  /** Its name: 1 to 120 of `A-Z a-z 0-9 . _ ~ @ -`. */
  readonly id: string;
  /** Its owner, for good. */
  readonly userId: string;
  /** Where it stands. */
  readonly status: CastStatus;
  /** How far it is, from 0 to 100, in hundredths. */
  readonly progress: number | null;
  /** What it does just now; at most 2,000 characters. */
  readonly message: string | null;
  /** When it began to run. */
  readonly startedAt: string | null;
  /** When it ended. */
  readonly finishedAt: string | null;
  /** How long it took, in milliseconds. */
  readonly duration: number | null;
  /** What it cost, in cents. */
  readonly costCents: number | null;
  /** What it made: `http` or `https`, at most 2,000 characters. */
  readonly artifactUrl: string | null;
  /** Why it failed; at most 2,000 characters. */
  readonly errorMessage: string | null;
  /** The repository whose workflow carries it out: `owner/name`. */
  readonly repository?: string;
  /** The run of that workflow: 1 to 20 digits. */
  readonly workflowRunId?: string;
  /** When it was created. */
  readonly createdAt: string;
  /** When it was last changed. */
  readonly updatedAt: string;
  /** 1 at its creation, one more with each change. */
  readonly version: number;
}

/** What can be said of a cast; what is left out or `null` stays as it is. */
export interface CastFields {
  /** Where it stands. */
  readonly status?: CastStatus;
  /** How far it is, from 0 to 100; finer steps than a hundredth are rounded. */
  readonly progress?: number;
  /** What it does just now; at most 2,000 characters. */
  readonly message?: string;
  /** When it began: RFC 3339 with its offset from UTC. */
  readonly startedAt?: string;
  /** When it ended. */
  readonly finishedAt?: string;
  /** How long it took, in whole milliseconds. */
  readonly duration?: number;
  /** What it cost, in whole cents. */
  readonly costCents?: number;
  /** What it made: `http` or `https`, at most 2,000 characters. */
  readonly artifactUrl?: string;
  /** Why it failed; at most 2,000 characters. */
  readonly errorMessage?: string;
  /** The repository whose workflow carries it out: `owner/name`, at most 140 characters. */
  readonly repository?: string;
  /** The run of that workflow: 1 to 20 digits. */
  readonly workflowRunId?: string | number;
}

/** Largest `data` of one event, in bytes of JSON. */
export const DATA_BYTES = 65_536;

/** Most events in one publish. */
export const BATCH_EVENTS = 100;

/** Largest body of one publish, in bytes. */
export const BATCH_BYTES = 1_048_576;
