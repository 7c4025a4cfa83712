// A client that is made when something first needs it: rendering, on a server or in a browser, makes none.

import { type AuthRequest, type Client, type ClientOptions, createClient, type Status } from '@tidings/client';
import { LINGER } from './store.ts';

/** The status of a client that has not been made. */
export const IDLE: Status = { state: 'idle', transport: null, error: null, attempt: 0, nextAttemptAt: null };

export class LazyClient implements Client {
  readonly #options: ClientOptions;
  #made: Client | undefined;
  #holders = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The credential of the latest render. */
  auth: ClientOptions['auth'];

  constructor(options: ClientOptions) {
    this.#options = options;
    this.auth = options.auth;
  }

  #client(): Client {
    const { auth, ...options } = this.#options;
    const ask = (request: AuthRequest) => (typeof this.auth === 'function' ? this.auth(request) : (this.auth ?? ''));
    this.#made ??= createClient(auth === undefined ? options : { ...options, auth: ask });
    return this.#made;
  }

  /** Keeps it until what this answers is called. Once nobody holds it, it is closed; held again, it begins anew. */
  hold(): () => void {
    clearTimeout(this.#timer);
    this.#holders += 1;
    return () => {
      this.#holders -= 1;
      if (this.#holders > 0) return;
      // What its components followed lingers, and ends before it.
      this.#timer = setTimeout(() => {
        this.#made?.close();
        this.#made = undefined;
      }, 2 * LINGER);
    };
  }

  get status(): Status {
    return this.#made?.status ?? IDLE;
  }

  readonly subscribe: Client['subscribe'] = (what, listener) => this.#client().subscribe(what, listener);
  readonly snapshot: Client['snapshot'] = (source, what, listeners) => this.#client().snapshot(source, what, listeners);
  readonly onStatus: Client['onStatus'] = (listener) => this.#client().onStatus(listener);
  readonly reconnect: Client['reconnect'] = () => this.#client().reconnect();
  readonly close: Client['close'] = () => this.#client().close();
  readonly ticket: Client['ticket'] = (channels) => this.#client().ticket(channels);
  readonly fetch: Client['fetch'] = (path, options) => this.#client().fetch(path, options);
}
