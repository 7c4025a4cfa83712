// The state of the connection.

import { useCallback, useSyncExternalStore } from 'react';
import { type ConnectionStatus, hubOf } from './hub.ts';
import { IDLE } from './lazy-client.ts';
import { useClient } from './provider.tsx';
import { Store, type Topic } from './store.ts';
import { useListener } from './use-store.ts';

/** Follows nothing but the status, which its hub has. */
class StatusStore extends Store<object, object> {
  protected open(): void {}
  protected close(): void {}
  override onStatus(): void {
    this.hub.frames.changed(this);
  }
}

const TOPIC: Topic<object, object> = {
  key: 'status',
  make: (hub, key) => new StatusStore(hub, key, {}),
};

const ON_SERVER: ConnectionStatus = { ...IDLE, reconnect: () => {} };
const NO_HANDLERS = {};

/** The state of the client's connection; the same object until it changes. */
export function useConnectionStatus(): ConnectionStatus {
  const hub = hubOf(useClient());
  const listener = useListener<object>(NO_HANDLERS);
  const subscribe = useCallback((notify: () => void) => hub.attach(TOPIC, listener, notify), [hub, listener]);
  return useSyncExternalStore(
    subscribe,
    () => hub.view(),
    () => ON_SERVER,
  );
}
