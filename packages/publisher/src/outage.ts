import { pauseAfter } from './backoff.ts';
import type { PublishError } from './errors.ts';
import type { RetrySettings } from './options.ts';

/** Least milliseconds between two times that it is said: a server that comes and goes says nothing new. */
const QUIET = 60_000;

/**
 * What the queue knows of a server that takes nothing for the moment, and until when nothing is sent. All lanes have
 * this one, so that a queue of many is no more of a burden to a server that comes back than one of few.
 */
export class Outage {
  readonly #retry: RetrySettings;
  readonly #say: (error: PublishError) => void;
  #failures = 0;
  #round = 0;
  #until = 0;
  #said = Number.NEGATIVE_INFINITY;
  #isSaid = false;
  #last: PublishError | undefined;

  constructor(retry: RetrySettings, say: (error: PublishError) => void) {
    this.#retry = retry;
    this.#say = say;
  }

  /** Requests of one round fail for one reason: only the first of them makes the pause longer. */
  get round(): number {
    return this.#round;
  }

  /** Milliseconds for which nothing is sent. */
  get left(): number {
    return Math.max(0, this.#until - performance.now());
  }

  /** Why nothing was taken last; `undefined` where something was taken since. */
  get last(): PublishError | undefined {
    return this.#last;
  }

  /** A request of this round failed in a way that may pass. */
  failed(error: PublishError, round: number): void {
    const now = performance.now();
    let pause = error.retryAfter ?? 0;
    this.#last = error;
    if (round === this.#round) {
      this.#round += 1;
      this.#failures += 1;
      pause += pauseAfter(this.#failures, this.#retry);
    }
    this.#until = Math.max(this.#until, now + pause);
    if (this.#isSaid || now - this.#said < QUIET) return;
    [this.#isSaid, this.#said] = [true, now];
    this.#say(error);
  }

  /** A request of this round was answered. What was asked for by a `Retry-After` is waited out all the same. */
  passed(round: number): void {
    if (round !== this.#round) return;
    this.#failures = 0;
    this.#isSaid = false;
    this.#last = undefined;
  }
}
