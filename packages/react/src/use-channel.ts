// Channels in a component.

import type { Event, Subscribe } from '@tidings/client';
import { useMemo } from 'react';
import { type ChannelHandlers, type ChannelState, ChannelStore, NO_EVENTS } from './channel-store.ts';
import { hubOf } from './hub.ts';
import { useClient } from './provider.tsx';
import type { Topic } from './store.ts';
import { useListener, useTopic } from './use-store.ts';

/** What to follow: a channel or pattern, several, or a selection of their events. */
export type What = string | readonly string[] | Subscribe;

/** Handlers of a hook on channels, and whether it follows them. */
export interface ChannelOptions<Data = unknown> extends ChannelHandlers<Data> {
  /** Whether to follow. Default: `true`. */
  readonly enabled?: boolean | undefined;
}

/** What {@link useChannel} answers. */
export interface ChannelResult<Data = unknown> extends Omit<ChannelState, 'lastEvent'> {
  /** The latest event; `null` before the first. */
  readonly lastEvent: Event<Data> | null;
}

const sorted = (names: readonly string[]) => [...new Set(names)].sort();

/** One text for the same content, however it is written; `null` where there is nothing to follow. */
export function contentOf(what: What | null | undefined): string | null {
  if (what === null || what === undefined) return null;
  const given: Subscribe = typeof what === 'string' || Array.isArray(what) ? { channels: what } : (what as Subscribe);
  const { types, categories, since } = given;
  const channels = sorted((typeof given.channels === 'string' ? [given.channels] : given.channels).filter(Boolean));
  if (channels.length === 0) return null;
  return JSON.stringify({
    channels,
    ...(types && { types: sorted(types) }),
    ...(categories && { categories: sorted(categories) }),
    ...(since !== undefined && since !== 'now' && { since }),
  });
}

/**
 * Follows channels. Components that follow the same share one subscription. An inline array or object of the same
 * content does not subscribe again; `null` and `enabled: false` follow nothing.
 */
export function useChannel<Data = unknown>(
  what: What | null | undefined,
  handlers: ChannelOptions<Data> | ((event: Event<Data>) => void) = {},
): ChannelResult<Data> {
  const { enabled = true, ...others } = typeof handlers === 'function' ? { onEvent: handlers } : handlers;
  const hub = hubOf(useClient());
  const listener = useListener(others as ChannelHandlers);
  const content = enabled ? contentOf(what) : null;
  const topic = useMemo((): Topic<ChannelState, ChannelHandlers> | null => {
    if (content === null) return null;
    const parsed = JSON.parse(content) as Subscribe;
    const key = parsed.since === undefined ? `channel ${content}` : `channel ${content} ${listener.serial}`;
    return { key, make: (hub, key) => new ChannelStore(hub, key, parsed) };
  }, [content, listener]);
  return useTopic(hub, topic, listener, NO_EVENTS, (state) => state as ChannelResult<Data>);
}
