// The connection's state: plain data, replaced by each step. TABLE.md says what leads where.

import type { Since } from '../cursor.ts';
import type { Failure } from '../failure.ts';
import type { Cursor } from '../wire/generated.ts';

/**
 * - `idle`: nobody follows anything.
 * - `opening`: a stream is being opened; it has not said `$ready`.
 * - `live`: the stream runs.
 * - `waiting`: until the time of the next attempt.
 * - `offline`: as waiting, and the machine has no network as far as it knows.
 * - `suspended`: the page is hidden or frozen; nothing is open.
 * - `refused`: the server wants another credential, or attempts are used up.
 * - `ended`: the server said not to come back, or the client was closed.
 */
export type Name = 'idle' | 'opening' | 'live' | 'waiting' | 'offline' | 'suspended' | 'refused' | 'ended';

/**
 * - `open`: the opening takes too long.
 * - `watch`: look whether the stream still gives signs of life.
 * - `retry`: the next attempt.
 * - `probe`: see whether a better transport works again.
 * - `hide`: the page has been hidden for long enough.
 * - `linger`: nobody has followed anything for long enough.
 * - `change`: ask again for a change that failed.
 * - `renew`: present a fresh credential again.
 */
export type Timer = 'open' | 'watch' | 'retry' | 'probe' | 'hide' | 'linger' | 'change' | 'renew';

/** A channel that is followed. */
export interface Place {
  /** Where it begins; until it has joined, what it was asked for with. */
  readonly since: Since;
  /** `wanted`: the stream does not know; `asked`: it was told; `joined`: it is part of the stream. */
  readonly phase: 'wanted' | 'asked' | 'joined';
  /** Whether the stream carries it, be it that it is to be added again with an earlier beginning. */
  readonly isThere: boolean;
}

/** What does not change. Times in milliseconds. */
export interface MachineConfig {
  /** How many transports there are, the best first. */
  readonly transports: number;
  readonly initial: number;
  readonly max: number;
  readonly attempts: number;
  readonly heartbeat: number;
  /** How long a stream may be silent; `null`: 2.5 heartbeats, as learned. */
  readonly watchdog: number | null;
  readonly openTimeout: number;
  readonly suspendAfter: number;
  readonly linger: number;
  readonly restoreAfter: number;
  /** Whether a fresh credential can be had. */
  readonly canRenew: boolean;
}

export interface State {
  readonly config: MachineConfig;
  readonly name: Name;
  /** The last position that is safe to keep. */
  readonly cursor: Cursor | null;
  readonly channels: ReadonlyMap<string, Place>;
  /** What nobody follows any more and the live stream carries (`true`) or was asked for. */
  readonly dropping: ReadonlyMap<string, boolean>;
  /** Whether the stream is being asked for a change; at most one at a time. */
  readonly changing: boolean;
  /** How often the stream was asked for each channel and has not answered by `$joined`: in the order of the asking. */
  readonly asks: ReadonlyMap<string, number>;
  /** The channels whose missed events come just now, from where they were last asked for. */
  readonly group: readonly string[];
  /** Whether the next stream is opened without channels, because one of them was refused and it is not known which. */
  readonly bare: boolean;
  /** Where the stream was asked to begin. */
  readonly asked: Since;
  /** The server does not know the cursor; it will say `$reset`. Until then the cursor stays what it is. */
  readonly doubt: boolean;
  readonly transport: number;
  /** Until when each transport is not used, and how long that was; 0 where it may be. */
  readonly bars: readonly { readonly until: number; readonly length: number }[];
  /** Streams in a row that ended before their first heartbeat. */
  readonly strikes: number;
  /** Whether this stream has given a heartbeat. */
  readonly steady: boolean;
  /** Attempts since the last steady stream. */
  readonly attempt: number;
  readonly heard: number;
  readonly pinged: number | null;
  /** The heartbeat's interval, as learned. */
  readonly interval: number;
  readonly isOffline: boolean;
  readonly isHidden: boolean;
  /** A fresh credential is being tried. */
  readonly fresh: boolean;
  /** The opening replaces a stream that works: nothing is lost yet. */
  readonly quiet: boolean;
  /** The server named the time of the next attempt. */
  readonly held: boolean;
  readonly wasLive: boolean;
  readonly error: Failure | null;
  readonly nextAt: number | null;
  readonly timers: { readonly [timer in Timer]?: number };
  /** Closed by the application, for good. */
  readonly isClosed: boolean;
}

/** A client that has just been made. */
export function initialState(config: MachineConfig): State {
  return {
    config,
    name: 'idle',
    cursor: null,
    channels: new Map(),
    dropping: new Map(),
    changing: false,
    asks: new Map(),
    group: [],
    bare: false,
    asked: 'now',
    doubt: false,
    transport: 0,
    bars: Array.from({ length: config.transports }, () => ({ until: 0, length: 0 })),
    strikes: 0,
    steady: false,
    attempt: 0,
    heard: 0,
    pinged: null,
    interval: config.heartbeat,
    isOffline: false,
    isHidden: false,
    fresh: false,
    quiet: false,
    held: false,
    wasLive: false,
    error: null,
    nextAt: null,
    timers: {},
    isClosed: false,
  };
}
