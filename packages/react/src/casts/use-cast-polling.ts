// A cast that is read at intervals.

import type { Cast } from '@tidings/client/casts';
import { useMemo } from 'react';
import { hubOf } from '../hub.ts';
import { useClient } from '../provider.tsx';
import type { Topic } from '../store.ts';
import { useListener, useTopic } from '../use-store.ts';
import { type CastPollingResult, NOT_POLLED, type PollHandlers, PollStore } from './poll-store.ts';

/** What {@link useCastPolling} takes. */
export interface CastPollingOptions {
  /** Milliseconds between an answer and the next request; at least 100. Default: 5,000. */
  readonly interval?: number | undefined;
  /** Called with the record when it is first read, and whenever its version has changed. */
  readonly onUpdate?: ((cast: Cast) => void) | undefined;
  /** Whether to poll. Default: `true`. */
  readonly enabled?: boolean | undefined;
}

const LEAST = 100;
const NO_OPTIONS: CastPollingOptions = {};

/**
 * Reads a cast at intervals until it has ended, for where nothing can be streamed. `Retry-After` is kept; failures make
 * the interval longer, up to a minute; a refusal ends it. While `castId` is `null`, `undefined` or empty nothing is read.
 */
export function useCastPolling(
  castId: string | null | undefined,
  options: CastPollingOptions = NO_OPTIONS,
): CastPollingResult {
  const { interval = 5000, onUpdate, enabled = true } = options;
  const hub = hubOf(useClient());
  const listener = useListener<PollHandlers>({ onUpdate });
  const every = interval >= LEAST ? interval : LEAST;
  const topic = useMemo((): Topic<CastPollingResult, PollHandlers> | null => {
    if (!castId || !enabled) return null;
    return { key: `poll ${castId} ${every}`, make: (hub, key) => new PollStore(hub, key, castId, every) };
  }, [castId, enabled, every]);
  return useTopic(hub, topic, listener, NOT_POLLED, (state) => state);
}
