// A client under test, wherever it runs.

import type { Status } from '../../src/index.ts';

/** What a client has been told so far. */
export interface Told {
  /** Events by channel, in their order. */
  readonly ids: { readonly [channel: string]: readonly string[] };
  readonly gaps: readonly string[];
  readonly errors: readonly string[];
  readonly state: Status['state'];
  readonly code: string | null;
}

/** A client under test. */
export interface Rig {
  told(): Promise<Told>;
  subscribe(channel: string): Promise<void>;
  reconnect(): Promise<void>;
  /** Closes it; answers how many of its timers are left. */
  close(): Promise<number>;
}

export interface RigOptions {
  readonly url: string;
  readonly key: string;
  readonly transport: string;
}

/** Times that make a run short. */
export function timesFor(transport: string) {
  return {
    backoff: { initial: 10, max: 100 },
    heartbeat: 500,
    // The shortest poll waits a second.
    watchdog: transport === 'poll' ? 3500 : 1500,
    openTimeout: 1500,
    restoreAfter: 50,
    linger: 10,
  };
}
