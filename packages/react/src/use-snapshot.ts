// A record in a component, kept up to date by its events.

import type { Event, Subscribe } from '@tidings/client';
import { useMemo, useState } from 'react';
import type { ChannelHandlers } from './channel-store.ts';
import { hubOf } from './hub.ts';
import { useClient } from './provider.tsx';
import {
  type Apply,
  NO_RECORD,
  type SnapshotFrom,
  type SnapshotHandlers,
  type SnapshotState,
  SnapshotStore,
} from './snapshot-store.ts';
import type { Topic } from './store.ts';
import { contentOf, type What } from './use-channel.ts';
import { useListener, useTopic } from './use-store.ts';

/** What {@link useSnapshot} answers. */
export interface SnapshotResult<Value> {
  /** The record as it is; `undefined` until it has been read. */
  readonly data: Value | undefined;
  /** Whether it is there, and events come. */
  readonly isReady: boolean;
  /** Whether it is ready and the connection is up. */
  readonly isConnected: boolean;
  /** Why not. */
  readonly error: Error | null;
}

const names = new WeakMap<object, number>();
let named = 0;

/** A name for a function, for as long as it is there. */
function nameOf(thing: object): number {
  let name = names.get(thing);
  if (name === undefined) {
    named += 1;
    name = named;
    names.set(thing, name);
  }
  return name;
}

/**
 * Fetches a record and keeps it up to date: nothing between the two is lost, and after a gap it is fetched again.
 *
 * `source` and `apply` may be inline; the latest ones count. Another path or other channels fetch anew. Components that
 * name the same path, channels, and the very same `apply` function share one record.
 */
export function useSnapshot<Value = unknown, Data = unknown>(
  source: SnapshotFrom | null | undefined,
  what: What | null | undefined,
  apply: (value: Value, event: Event<Data>) => Value,
  handlers: ChannelHandlers<Data> = {},
): SnapshotResult<Value> {
  const hub = hubOf(useClient());
  const all = { ...handlers, source: source ?? null, apply: apply as Apply };
  const listener = useListener(all as SnapshotHandlers);
  // Whoever gives an inline function has a name of its own.
  const [own] = useState(() => nameOf(apply));
  const path = typeof source === 'function' ? listener.serial : source;
  const content = contentOf(what);
  const topic = useMemo((): Topic<SnapshotState, SnapshotHandlers> | null => {
    if (content === null || !path) return null;
    const parsed = JSON.parse(content) as Subscribe;
    return {
      key: `snapshot ${JSON.stringify([path, own])} ${content}`,
      make: (hub, key) => new SnapshotStore(hub, key, parsed),
    };
  }, [content, path, own]);
  return useTopic(hub, topic, listener, NO_RECORD, (state) => state as SnapshotResult<Value>);
}
