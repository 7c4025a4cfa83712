// What React has of one client: everything that is followed through it, each thing once, and one queue for all that comes.

import type { Client, Status } from '@tidings/client';
import { Frames } from './frame.ts';
import type { Listener, Store, Topic } from './store.ts';

/** The state of the connection, and what tries at once. */
export type ConnectionStatus = Status & {
  /**
   * Tries at once, with a fresh credential, whatever the state, and follows everything anew, what had given up as well.
   * Unless the connection is only just being made or lost, nothing that was known before stays: call it after somebody
   * has signed in or out.
   */
  reconnect(): void;
};

/** The credential counts as it did; only the network is in the way. */
const PASSING: readonly Status['state'][] = ['connecting', 'reconnecting', 'offline'];

// biome-ignore lint/suspicious/noExplicitAny: whoever asks by a topic gets the store of that topic's type
type AnyStore = Store<any, any>;

export class Hub {
  readonly client: Client;
  readonly frames = new Frames();
  /** The status as of the last frame. */
  #status: Status;
  readonly #stores = new Map<string, AnyStore>();
  readonly #views = new WeakMap<Status, ConnectionStatus>();
  #unwatch = () => {};

  constructor(client: Client) {
    this.client = client;
    this.#status = client.status;
  }

  get status(): Status {
    return this.#status;
  }

  /** What follows this topic, if something does. Renders ask this, and change nothing. */
  find<State extends object, Handlers>(topic: Topic<State, Handlers> | null): Store<State, Handlers> | undefined {
    return topic === null ? undefined : this.#stores.get(topic.key);
  }

  /** Has a hook follow this topic; answers what ends that. */
  attach<State extends object, Handlers>(
    topic: Topic<State, Handlers>,
    listener: Listener<Handlers>,
    notify: () => void,
  ): () => void {
    let store = this.find(topic);
    if (store === undefined) {
      if (this.#stores.size === 0) this.#watch();
      store = topic.make(this, topic.key);
      this.#stores.set(topic.key, store);
    }
    return store.attach(listener, notify);
  }

  remove(key: string, store: AnyStore): void {
    if (this.#stores.get(key) !== store) return;
    this.#stores.delete(key);
    if (this.#stores.size === 0) this.#unwatch();
  }

  #watch(): void {
    this.#unwatch = this.client.onStatus((status) =>
      this.frames.put(() => {
        this.#status = status;
        for (const store of [...this.#stores.values()]) store.onStatus();
      }),
    );
    this.#status = this.client.status;
  }

  /** The status for components: the same object for the same status. */
  view(): ConnectionStatus {
    // While nothing is followed nobody is told of changes; what is read then is as it is.
    const status = this.#stores.size === 0 ? this.client.status : this.#status;
    const view = this.#views.get(status) ?? { ...status, reconnect: this.#reconnect };
    this.#views.set(status, view);
    return view;
  }

  readonly #reconnect = () => {
    // While the network fails, somebody wants it to be tried again; otherwise somebody else may be at the page.
    const isAnew = !PASSING.includes(this.client.status.state);
    this.frames.put(() => {
      for (const store of [...this.#stores.values()]) store.begin(isAnew);
    });
    this.client.reconnect();
  };
}

const hubs = new WeakMap<Client, Hub>();

/** The hub of a client. */
export function hubOf(client: Client): Hub {
  const hub = hubs.get(client) ?? new Hub(client);
  hubs.set(client, hub);
  return hub;
}
