// A cast in a component.

import { useCallback, useMemo } from 'react';
import { hubOf } from '../hub.ts';
import { useClient } from '../provider.tsx';
import { useListener, useTopic } from '../use-store.ts';
import { type CastLastEvent, type CastStatusResult, NO_CAST } from './cast-state.ts';
import { type CastEventHandlers, CastStore } from './cast-store.ts';
import { castTopic } from './topics.ts';

/** What {@link useCastEvents} takes. */
export interface CastEventsOptions {
  /** Which cast. While it is `null`, `undefined` or empty nothing is followed. */
  readonly castId: string | null | undefined;
  /** Whether to follow it. Default: `true`. */
  readonly enabled?: boolean | undefined;
  /** Whether to go on after the connection was lost. Default: `true`. */
  readonly reconnect?: boolean | undefined;
  /** After how many attempts in a row that failed to give up. Default: no limit. */
  readonly maxReconnectAttempts?: number | undefined;
}

/** What {@link useCastEvents} answers. */
export interface CastEventsResult {
  /** Whether the cast's state is known and events come; `false` once it has ended. */
  readonly isConnected: boolean;
  /** The latest news over the last known state; `null` until that is known. */
  readonly lastEvent: CastLastEvent | null;
  /** When the latest news came. */
  readonly lastUpdate: Date | null;
  /** Why it is not connected; `null` while it is, and once the cast has ended. */
  readonly error: Error | null;
  /** Attempts in a row since the connection was last good; 0 while it is. */
  readonly reconnectCount: number;
  /** Tries at once, also after it was given up. */
  reconnect(): void;
}

const NO_HANDLERS: CastEventHandlers = {};

/**
 * Follows a cast: its state, then what happens to it, to its end. All casts of a page go over one connection, and
 * components that follow the same one share it. Inline options and handlers do not subscribe again.
 */
export function useCastEvents(options: CastEventsOptions, handlers: CastEventHandlers = NO_HANDLERS): CastEventsResult {
  const { castId, enabled = true, reconnect: patient = true, maxReconnectAttempts } = options;
  const hub = hubOf(useClient());
  const listener = useListener(handlers);
  const topic = useMemo(
    () => (castId && enabled ? castTopic(castId, patient, maxReconnectAttempts) : null),
    [castId, enabled, patient, maxReconnectAttempts],
  );
  const state = useTopic(hub, topic, listener, NO_CAST, (state) => state);
  const reconnect = useCallback(() => {
    const store = hub.find(topic);
    if (store instanceof CastStore) store.reconnect();
  }, [hub, topic]);
  const { isConnected, lastEvent, lastUpdate, error, reconnectCount } = state;
  return { isConnected, lastEvent, lastUpdate, error, reconnectCount, reconnect };
}

/**
 * A cast's status, and nothing else: a component that uses it is not rendered for progress. While `castId` is `null`,
 * `undefined` or empty nothing is followed.
 */
export function useCastStatus(castId: string | null | undefined): CastStatusResult {
  const hub = hubOf(useClient());
  const listener = useListener(NO_HANDLERS);
  const topic = useMemo(() => (castId ? castTopic(castId) : null), [castId]);
  return useTopic(hub, topic, listener, NO_CAST, ({ brief }) => brief);
}
