import type { ErrorCode, Receipt } from './generated.ts';

/** Why a publish failed without the server's saying so. */
export type LocalCode =
  /** No answer came: the server could not be reached or the connection broke. */
  | 'unreachable'
  /** No answer came in time. */
  | 'timed_out'
  /** The answer is none of Tidings': something else listens there, or stands between. */
  | 'unexpected_answer'
  /** The queue holds as much as it may; the event was not taken. */
  | 'queue_full'
  /** It waited in the queue for as long as it may; the `cause` is what kept it there. */
  | 'too_old'
  /** The publisher is closed, or was before it came to this event. */
  | 'closed'
  /** The event cannot be written as JSON, or an argument is missing: it says which. */
  | 'invalid_event';

/** What is known of a failure besides its code and sentence. */
export interface PublishErrorDetails {
  readonly httpStatus?: number | undefined;
  readonly at?: string | undefined;
  readonly current?: unknown;
  readonly retryAfter?: number | undefined;
  readonly cause?: unknown;
}

/** Why an event was not published, or may not have been. */
export class PublishError extends Error {
  override readonly name = 'PublishError';
  /** The stable word: the server's, or one of {@link LocalCode}. A newer server may have words that are not listed. */
  readonly code: ErrorCode | LocalCode | (string & {});
  /**
   * The HTTP status of Tidings' answer; `undefined` where it did not refuse. Not called `status`: Express, Koa, Fastify
   * and others would take it for that of their own answer, and tell a user 401 where the key of the backend is wrong.
   */
  readonly httpStatus: number | undefined;
  /** What is wrong and what to do. */
  readonly detail: string;
  /** Where: a JSON pointer into the body that was sent (RFC 6901), or a parameter. */
  readonly at: string | undefined;
  /** The record as it is, where the request was made from an earlier state of it (409, 412). */
  readonly current: unknown;
  /** Milliseconds after which trying again makes sense, where the server named a time. */
  readonly retryAfter: number | undefined;
  /** How often it was tried. */
  attempts = 0;
  /** Of a batch that was sent in parts: the receipts of the events before the part that failed, in order. */
  published: readonly Receipt[] = [];

  constructor(code: ErrorCode | LocalCode | (string & {}), detail: string, details: PublishErrorDetails = {}) {
    super(`${code}: ${detail}`, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.detail = detail;
    this.httpStatus = details.httpStatus;
    this.at = details.at;
    this.current = details.current;
    this.retryAfter = details.retryAfter;
  }

  /**
   * Whether the same request may succeed later: no answer, 408, 429, 5xx, or too long a wait for one that is none of
   * these. It is not known then whether the event was stored; with the same idempotency key it can be sent again
   * without harm.
   */
  get isTemporary(): boolean {
    const { code, httpStatus } = this;
    if (httpStatus === undefined) return code === 'unreachable' || code === 'timed_out' || code === 'too_old';
    return httpStatus === 408 || httpStatus === 429 || httpStatus >= 500;
  }
}

/** What a publisher that is closed says. */
export function closed(): PublishError {
  return new PublishError('closed', 'the publisher is closed; make another one');
}
