// A clock that tests move.

import type { Environment } from '../../src/index.ts';

/** Time that stands still until it is moved. */
export class Clock {
  now = 1_000_000;
  #timers = new Set<{ readonly at: number; run(): void }>();

  get pending(): number {
    return this.#timers.size;
  }

  readonly after: Environment['after'] = (milliseconds, run) => {
    const timer = { at: this.now + milliseconds, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  /** Lets time pass; what is due runs in its order, and so does what it sets. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.now + milliseconds;
    for (;;) {
      const next = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.now = Math.max(this.now, next.at);
      this.#timers.delete(next);
      next.run();
      await settle();
    }
    this.now = end;
  }
}

/** Lets everything run that only waits for promises. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 8; turn += 1) await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve));
}
