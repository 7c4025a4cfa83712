// How a component follows: state by `useSyncExternalStore` alone, handlers read when they are called.

import { useCallback, useInsertionEffect, useState, useSyncExternalStore } from 'react';
import type { Hub } from './hub.ts';
import { Listener, type Topic } from './store.ts';

/** The listener of this hook: the same object as long as the component lives, with the latest handlers. */
export function useListener<Handlers>(handlers: Handlers): Listener<Handlers> {
  const [listener] = useState(() => new Listener(handlers));
  useInsertionEffect(() => {
    listener.handlers = handlers;
  });
  return listener;
}

/** Follows a topic, which must be the same object for the same thing; `null` follows nothing. */
export function useTopic<State extends object, Handlers, Seen>(
  hub: Hub,
  topic: Topic<State, Handlers> | null,
  listener: Listener<Handlers>,
  empty: State,
  select: (state: State) => Seen,
): Seen {
  useInsertionEffect(() => {
    listener.key = topic?.key;
  });
  const subscribe = useCallback(
    (notify: () => void) => {
      if (topic !== null) return hub.attach(topic, listener, notify);
      // It may have followed something before.
      let isHere = true;
      hub.frames.put(() => isHere && listener.connection(false));
      return () => {
        isHere = false;
      };
    },
    [hub, topic, listener],
  );
  return useSyncExternalStore(
    subscribe,
    () => select(hub.find(topic)?.state ?? empty),
    () => select(empty),
  );
}
