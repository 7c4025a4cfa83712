// A listener that remembers, and lets a test wait for what is to come.

import type { Event, Gap, Listeners, Status } from '../../src/index.ts';

/** Remembers what a subscription is told. */
export class Collector implements Listeners {
  readonly events: Event[] = [];
  readonly gaps: Gap[] = [];
  readonly errors: Error[] = [];
  readonly statuses: Status[] = [];
  /** Everything in its order: ids, and gaps as `gap:reason`. */
  readonly order: string[] = [];
  #waiting: { when: () => boolean; done: () => void }[] = [];

  readonly onEvent = (event: Event): void => {
    this.events.push(event);
    this.order.push(event.id);
    this.#wake();
  };
  readonly onGap = (gap: Gap): void => {
    this.gaps.push(gap);
    this.order.push(`gap:${gap.reason}`);
    this.#wake();
  };
  readonly onError = (error: Error): void => {
    this.errors.push(error);
    this.#wake();
  };
  readonly onStatus = (status: Status): void => {
    this.statuses.push(status);
    this.#wake();
  };

  get ids(): string[] {
    return this.events.map(({ id }) => id);
  }

  get data(): unknown[] {
    return this.events.map(({ data }) => data);
  }

  /** Looks whether what is waited for holds. */
  readonly wake = (): void => this.#wake();

  #wake(): void {
    const met = this.#waiting.filter(({ when }) => when());
    this.#waiting = this.#waiting.filter((one) => !met.includes(one));
    for (const { done } of met) done();
  }

  /** Waits until something holds, looked at whenever something is told. */
  async until(when: () => boolean, within = 20_000): Promise<void> {
    if (when()) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_, reject) => {
      const said = () =>
        JSON.stringify({
          events: this.events.length,
          gaps: this.gaps,
          errors: this.errors.map(String),
          status: this.statuses.at(-1),
        });
      timer = setTimeout(() => reject(new Error(`still waiting after ${within} ms: ${said()}`)), within);
    });
    const met = new Promise<void>((done) => this.#waiting.push({ when, done }));
    await Promise.race([met, late]).finally(() => clearTimeout(timer));
  }

  count(events: number): Promise<void> {
    return this.until(() => this.events.length >= events);
  }
}
