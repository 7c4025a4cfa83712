// Why a request or stream failed, as data: what the machine decides on.

/**
 * What a failure calls for.
 *
 * - `network`: nothing or half an answer came; try again.
 * - `blocked`: this transport does not get through here; take another.
 * - `auth`: sign in again, or get a fresh credential.
 * - `forbidden`: the request itself is refused.
 * - `busy`: come back later, after `after` milliseconds where they are named.
 * - `now`: come back at once.
 * - `gone`: do not come back.
 * - `long`: the request's target is longer than something on the way takes.
 * - `reopen`: what was asked for needs a new stream.
 */
export type FailureKind = 'network' | 'blocked' | 'auth' | 'forbidden' | 'busy' | 'now' | 'gone' | 'long' | 'reopen';

/** Why a request or stream failed. */
export interface Failure {
  readonly kind: FailureKind;
  /** The stable word: of the table of codes, or this client's own, as `network`. */
  readonly code: string;
  /** A sentence for people. */
  readonly detail?: string;
  /** The HTTP status, where there was one. */
  readonly status?: number;
  /** Milliseconds after which to try again. */
  readonly after?: number | undefined;
  /** The channel or parameter at fault. */
  readonly at?: string;
  /** The record as it is, where the request was made from an earlier state of it. */
  readonly current?: unknown;
}

/** A failure without more to say. */
export function failure(kind: FailureKind, code: string = kind, detail?: string): Failure {
  return detail === undefined ? { kind, code } : { kind, code, detail };
}

/** What went wrong, for applications. */
export class TidingsError extends Error {
  override readonly name = 'TidingsError';
  /** The stable word of the table of codes (`ErrorCode`, `EndReason`), or this client's own, as `network`, `timeout`. */
  readonly code: string;
  /** The HTTP status, where there was one. */
  readonly status: number | undefined;
  /** The channel concerned, where it is one. */
  readonly channel: string | undefined;
  /** The failure as data. */
  readonly failure: Failure;

  constructor(failure: Failure, channel?: string) {
    super(failure.detail ?? failure.code);
    this.code = failure.code;
    this.status = failure.status;
    this.channel = channel;
    this.failure = failure;
  }
}

/** What to make of an error that came out of a request. */
export function asFailure(error: unknown): Failure {
  if (error instanceof TidingsError) return error.failure;
  return failure('network', 'network', error instanceof Error ? error.message : String(error));
}
