// A cast that is read again and again, for where nothing can be streamed.

import { failureOf, TidingsError } from '@tidings/client';
import { type Cast, isTerminal } from '@tidings/client/casts';
import { call } from '../frame.ts';
import type { Hub } from '../hub.ts';
import { isHidden } from '../refusal.ts';
import { Store } from '../store.ts';

/** What {@link useCastPolling} answers. */
export interface CastPollingResult {
  /** The record as it was last read. */
  readonly cast: Cast | null;
  /** Whether it will be read again. */
  readonly isPolling: boolean;
  /** Why it could not be read the last time. */
  readonly error: Error | null;
}

export interface PollHandlers {
  readonly onUpdate?: ((cast: Cast) => void) | undefined;
}

export const NOT_POLLED: CastPollingResult = { cast: null, isPolling: false, error: null };

/** How long an answer may take. */
const TIME_LIMIT = 20_000;
/** The longest wait after failures, unless the interval is longer. */
const LONGEST = 60_000;
/** Refusals that the next time would meet as well. */
const FINAL: readonly number[] = [400, 401, 403, 404, 410];

export class PollStore extends Store<CastPollingResult, PollHandlers> {
  readonly #path: string;
  readonly #interval: number;
  #control: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;

  constructor(hub: Hub, key: string, castId: string, interval: number) {
    super(hub, key, { ...NOT_POLLED, isPolling: true });
    this.#path = `/api/casts/${encodeURIComponent(castId)}`;
    this.#interval = interval;
  }

  protected open(): void {
    void this.#poll();
  }

  protected close(): void {
    clearTimeout(this.#timer);
    this.#control?.abort();
    this.#control = undefined;
  }

  protected override greet({ onUpdate }: PollHandlers): void {
    const { cast } = this.state;
    if (cast !== null) call(onUpdate, cast);
  }

  async #poll(): Promise<void> {
    const control = new AbortController();
    this.#control = control;
    const limit = setTimeout(() => control.abort(), TIME_LIMIT);
    // What is answered after the end is of no use to anybody.
    const put = (task: () => void) => this.hub.frames.put(() => this.#control === control && task());
    try {
      const response = await this.hub.client.fetch(this.#path, { signal: control.signal });
      if (response.ok) {
        const cast = (await response.json()) as Cast;
        put(() => this.#read(cast));
      } else {
        const why = await failureOf(response);
        put(() => this.#failed(new TidingsError(why), FINAL.includes(response.status), why.after ?? 0));
      }
    } catch (error) {
      put(() => this.#failed(error as Error, false, 0));
    } finally {
      clearTimeout(limit);
    }
  }

  #read(cast: Cast): void {
    this.#failures = 0;
    const known = this.state.cast;
    // An answer that was overtaken by a later one says nothing new.
    const isNews = known === null || cast.version > known.version;
    const isPolling = !isTerminal((isNews ? cast : known).status);
    this.set({ ...this.state, cast: isNews ? cast : known, isPolling, error: null });
    if (isNews) this.each(({ onUpdate }) => call(onUpdate, cast));
    if (isPolling) this.#again(this.#interval);
  }

  #failed(error: Error, isFinal: boolean, wait: number): void {
    this.#failures += 1;
    this.set({ cast: isHidden(error) ? null : this.state.cast, error, isPolling: !isFinal });
    const slower = Math.min(this.#interval * 2 ** Math.min(this.#failures - 1, 10), LONGEST);
    if (!isFinal) this.#again(Math.max(wait, slower, this.#interval));
  }

  #again(wait: number): void {
    this.#timer = setTimeout(() => void this.#poll(), Math.min(wait, 2 ** 31 - 1));
  }

  protected override forget(): void {
    this.set({ ...this.state, cast: null });
  }

  protected override restart(isAnew: boolean): void {
    if (!isAnew && (this.state.isPolling || this.state.error === null)) return;
    this.close();
    this.#failures = 0;
    this.set({ cast: isAnew ? null : this.state.cast, isPolling: true, error: null });
    void this.#poll();
  }
}
