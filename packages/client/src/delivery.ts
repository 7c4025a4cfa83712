// Hands one listener its events in order, one after the other, and holds a bounded number while it is busy.

import type { TidingsError } from './failure.ts';
import type { Status } from './status.ts';
import type { Cursor, Event } from './wire/generated.ts';

/** Events that cannot be given: those of these channels up to `through`. */
export interface Gap {
  /**
   * `expired`: retention has removed them. `unknown`: the server does not know the history that this client had.
   * `unauthorized`: the right to the channels ended; nothing follows. `overflow`: the listener was too slow.
   */
  readonly reason: 'expired' | 'unknown' | 'unauthorized' | 'overflow';
  readonly channels: readonly string[];
  /** Up to where; `null` where it has no end. */
  readonly through: Cursor | null;
}

/**
 * What a subscription calls. What a listener throws, or a promise of its rejects with, goes to `onError`; anything else that
 * it answers is of no interest.
 */
export interface Listeners<Data = unknown> {
  /** An event. The next one waits for a promise that it answers. */
  readonly onEvent?: ((event: Event<Data>) => unknown) | undefined;
  /** Events were lost: what is known of these channels may be old. */
  readonly onGap?: ((gap: Gap) => unknown) | undefined;
  /**
   * The client's status, when it changes. Where nobody asks for it, here or by `onStatus` of the client, `refused` and
   * `closed` by the server go to the platform's `reportError`.
   */
  readonly onStatus?: ((status: Status) => void) | undefined;
  /**
   * A channel is refused (`error.channel`), and not asked for again by this subscription, or a listener failed. Default:
   * the platform's `reportError`.
   */
  readonly onError?: ((error: TidingsError | Error) => void) | undefined;
}

type Item = { readonly event: Event } | { readonly gap: Gap };

function isPromise(answer: unknown): answer is PromiseLike<unknown> {
  return typeof (answer as PromiseLike<unknown> | null | undefined)?.then === 'function';
}

/** The way to one listener. */
export class Delivery {
  readonly #listeners: Listeners;
  readonly #limit: number;
  readonly #report: (error: unknown) => void;
  #waiting: Item[] = [];
  #isBusy = false;
  #isOver = false;

  constructor(listeners: Listeners, limit: number, report: (error: unknown) => void) {
    this.#listeners = listeners;
    this.#limit = limit;
    this.#report = report;
  }

  put(item: Item) {
    if (!this.#isBusy) return this.#give(item);
    if (this.#waiting.length < this.#limit) {
      this.#waiting.push(item);
      return;
    }
    // Everything that waits and this are one gap.
    const lost = [...this.#waiting, item];
    const channels = new Set(lost.flatMap((one) => ('event' in one ? [one.event.channel] : one.gap.channels)));
    const last = lost.findLast((one) => 'event' in one);
    const through = last !== undefined && 'event' in last ? last.event.id : null;
    this.#waiting = [{ gap: { reason: 'overflow', channels: [...channels], through } }];
  }

  #give(item: Item): void {
    if (this.#isOver) return;
    try {
      const { onEvent, onGap } = this.#listeners;
      const done = 'event' in item ? onEvent?.(item.event) : onGap?.(item.gap);
      if (!isPromise(done)) return;
      this.#isBusy = true;
      done.then(
        () => this.#next(),
        (error) => {
          this.error(error);
          this.#next();
        },
      );
    } catch (error) {
      this.error(error);
    }
  }

  #next(): void {
    this.#isBusy = false;
    while (!this.#isBusy) {
      const item = this.#waiting.shift();
      if (item === undefined) return;
      this.#give(item);
    }
  }

  get hearsStatus(): boolean {
    return this.#listeners.onStatus !== undefined;
  }

  status(status: Status): void {
    try {
      this.#listeners.onStatus?.(status);
    } catch (error) {
      this.error(error);
    }
  }

  error(error: unknown) {
    if (this.#isOver) return;
    const { onError } = this.#listeners;
    if (onError === undefined) return this.#report(error);
    try {
      onError(error as Error);
    } catch (worse) {
      this.#report(worse);
    }
  }

  /** Nothing is called from now on. */
  close(): void {
    this.#isOver = true;
    this.#waiting = [];
  }
}
