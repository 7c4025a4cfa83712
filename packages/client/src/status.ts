// The state of the connection, as applications see it.

import { type Failure, TidingsError } from './failure.ts';
import type { State } from './machine/state.ts';

/** The state of the connection. The object stays the same until something changes. */
export interface Status {
  /**
   * - `idle`: nothing is subscribed, or the page is hidden or put away.
   * - `connecting`: the first stream is being opened.
   * - `connected`: events come; also while a stream is replaced by another without having failed.
   * - `reconnecting`: the stream was lost and is being opened again.
   * - `offline`: it was lost, and the browser says that there is no network.
   * - `refused`: a credential is needed, or attempts are used up; `reconnect()` starts anew.
   * - `closed`: the client was closed, or the server said not to come back.
   */
  readonly state: 'idle' | 'connecting' | 'connected' | 'reconnecting' | 'offline' | 'refused' | 'closed';
  /** The transport in use, or being tried. */
  readonly transport: string | null;
  /** Why it is not connected; `null` while it is. */
  readonly error: TidingsError | null;
  /** Attempts in a row since the last stream that lasted. */
  readonly attempt: number;
  /** When the next attempt is made, in milliseconds since 1970; `null` where none is planned. */
  readonly nextAttemptAt: number | null;
}

/** A status as data, which can be sent. */
export type Told = Omit<Status, 'error'> & { readonly failure: Failure | null };

/** The status of a client that has just been made. */
export const IDLE: Status = { state: 'idle', transport: null, error: null, attempt: 0, nextAttemptAt: null };

function wordOf(state: State): Status['state'] {
  switch (state.name) {
    case 'idle':
    case 'suspended':
      return 'idle';
    case 'live':
      return 'connected';
    case 'opening':
      return state.quiet ? 'connected' : state.wasLive ? 'reconnecting' : 'connecting';
    case 'waiting':
      return 'reconnecting';
    case 'ended':
      return 'closed';
    default:
      return state.name;
  }
}

/** The status that a state means; `last` where that is the same. `wall` is the time of day less the state's clock. */
export function statusOf(state: State, last: Status, transports: readonly string[], wall: number): Status {
  const word = wordOf(state);
  const isOpen = word === 'connecting' || word === 'connected' || word === 'reconnecting';
  const failure = word === 'connected' ? null : state.error;
  const next: Status = {
    state: word,
    transport: isOpen ? (transports[state.transport] ?? null) : null,
    error: failure === null ? null : last.error?.failure === failure ? last.error : new TidingsError(failure),
    attempt: state.attempt,
    nextAttemptAt: state.nextAt === null ? null : Math.round(wall + state.nextAt),
  };
  // The time of day is read anew each time and may differ by rounding alone.
  const isSameTime = Math.abs((next.nextAttemptAt ?? -1) - (last.nextAttemptAt ?? -1)) <= 50;
  const isSame = (['state', 'transport', 'error', 'attempt'] as const).every((name) => next[name] === last[name]);
  return isSame && isSameTime ? last : next;
}
