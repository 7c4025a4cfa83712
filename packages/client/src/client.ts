// The client: one connection for everything that is subscribed.

import { checkListener, checkSource, OPTIONS, PATH, selectionOf } from './arguments.ts';
import { check } from './check.ts';
import { earlier, isAhead, type Since } from './cursor.ts';
import { Delivery, type Listeners } from './delivery.ts';
import type { Driver, DriverParts } from './driver.ts';
import { type Environment, environment, type Fetched, type FetchOptions } from './environment.ts';
import { asFailure, TidingsError } from './failure.ts';
import { Follower } from './follower.ts';
import { type Filter, isWithin, Ledger } from './ledger.ts';
import type { State } from './machine/state.ts';
import type { ClientOptions, Trace } from './options.ts';
import { PATTERN } from './pattern.ts';
import type { Requests } from './requests.ts';
import type { followSnapshot, SnapshotListeners, SnapshotParts, SnapshotSource } from './snapshot.ts';
import { IDLE, type Status, statusOf } from './status.ts';
import { transportsOf } from './transports/choice.ts';
import { serverUrl } from './url.ts';
import type { Event, Ticket } from './wire/generated.ts';

/** What to follow. */
export interface Subscribe {
  /** Channels and patterns (`cast:*`, `*`), 1 to 1,000. */
  readonly channels: string | readonly string[];
  /** Only events of these types. Default: all. The server leaves out what no subscription takes. */
  readonly types?: readonly string[] | undefined;
  /** Only events of these categories. Default: all, and those without one. */
  readonly categories?: readonly string[] | undefined;
  /** `start`: from the oldest retained event; a cursor: after it. Default: `now`, where the stream is. */
  readonly since?: Since | string | undefined;
}

/** Something that is followed. */
export interface Subscription {
  /**
   * Resolves once the stream has all channels. Those that begin in the past are given what they missed before or right
   * after that. Rejects with a `TidingsError` where every channel is refused, or it is closed before; nobody needs to
   * catch that. While the client is `refused` it waits.
   */
  readonly ready: Promise<void>;
  /** Ends it; nothing is called from now on. */
  close(): void;
}

/** A client of one server. */
export interface Client {
  /**
   * Follows channels. A function takes events alone.
   *
   * @throws TypeError or RangeError for names, a choice or a listener that cannot be.
   */
  subscribe<Data = unknown>(
    what: string | readonly string[] | Subscribe,
    listener: Listeners<Data> | ((event: Event<Data>) => unknown),
  ): Subscription;
  /** The state of the connection; the same object until it changes. */
  readonly status: Status;
  /** Calls with each new status; answers what ends that. */
  onStatus(listener: (status: Status) => void): () => void;
  /** Tries at once, with a fresh credential where `auth` gives one, whatever the state; after `close` nothing happens. */
  reconnect(): void;
  /** Ends everything for good. */
  close(): void;
  /**
   * A ticket for channels: good once, for 30 seconds, where headers cannot be sent. Rejects with a `TidingsError`, or a
   * `TypeError` for what is no channel. A credential that is refused is replaced by a fresh one, once; so it is by `fetch`.
   */
  ticket(channels: readonly string[]): Promise<Ticket>;
  /**
   * Follows a record without a gap: fetches it, then gives every event after the position at which it was read; after
   * a gap fetches it again. See {@link SnapshotListeners}. Throws as `subscribe` does.
   */
  snapshot<Value = unknown, Data = unknown>(
    source: SnapshotSource,
    channels: string | readonly string[] | Subscribe,
    listeners: SnapshotListeners<Value, Data>,
  ): Subscription;
  /**
   * Fetches a path of the server, with the client's credential and time limit, which holds for the answer and again for
   * its `json()` or `text()`. The path begins with `/`. The answer may be a refusal; rejects with a `TidingsError` where
   * none comes.
   */
  fetch(path: string, options?: FetchOptions): Promise<Fetched>;
}

/** What of the state the status shows. */
const SHOWN = ['name', 'attempt', 'error', 'nextAt', 'quiet', 'transport'] as const;

/** The trace that somebody at the page asks for. */
function traceOfPage({ origin }: Environment): Trace | undefined {
  if (origin === undefined) return undefined;
  try {
    if (!/tidings|websocket/.test(globalThis.localStorage?.getItem('debug') ?? '')) return undefined;
  } catch {
    return undefined;
  }
  let trace: Trace | undefined;
  import('./debug.ts').then(
    ({ debug }) => {
      trace = debug();
    },
    () => {},
  );
  return (entry) => trace?.(entry);
}

class TidingsClient implements Client {
  readonly #options: ClientOptions;
  readonly #environment: Environment;
  readonly #ledger: Ledger;
  readonly #parts: DriverParts;
  #driver: Driver | undefined;
  readonly #names: readonly string[];
  readonly #watchers = new Set<(status: Status) => void>();
  /** Ends whatever goes on beside the connection. */
  #unwatch = () => {};
  #isClosed = false;
  readonly #requests: () => Promise<Requests>;
  #loaded: Promise<Requests> | undefined;
  /** What has changed since the last task: channels, with the earliest beginning that is asked for. */
  readonly #changed = new Map<string, Since>();
  #filter: Filter = { types: [], categories: [] };
  #isPlanned = false;
  readonly #snapshots = new Set<() => void>();
  #followSnapshot: Promise<typeof followSnapshot> | undefined;
  #status = IDLE;
  #shown: State | undefined;

  constructor(options: ClientOptions) {
    check('options', options, OPTIONS);
    this.#options = options;
    this.#environment = environment(options.environment);
    this.#ledger = new Ledger(options.recentLimit ?? 256);
    const url = serverUrl(options.url, this.#environment.origin);
    const load = async () => new (await import('./requests.ts')).Requests(url, options, this.#environment);
    this.#requests = () => {
      this.#loaded ??= load();
      // A page that is offline may load it later.
      this.#loaded.catch(() => {
        this.#loaded = undefined;
      });
      return this.#loaded;
    };
    const transports = transportsOf(options, this.#environment);
    this.#names = transports.map(({ name }) => name);
    this.#parts = {
      options,
      create: createClient,
      environment: this.#environment,
      requests: this.#requests,
      transports,
      ledger: this.#ledger,
      trace: options.trace ?? traceOfPage(this.#environment),
      onState: (state) => this.#show(state),
      onTold: ({ failure, ...status }) => this.#tell({ ...status, error: failure && new TidingsError(failure) }),
    };
  }

  get status(): Status {
    return this.#status;
  }

  #show(state: State): void {
    // Most steps are events, which change nothing here.
    const shown = this.#shown;
    this.#shown = state;
    if (SHOWN.every((name) => shown?.[name] === state[name])) return;
    const next = statusOf(state, this.#status, this.#names, Date.now() - this.#environment.now());
    if (next !== this.#status) this.#tell(next);
  }

  #tell(next: Status): void {
    this.#status = next;
    const { state, error } = next;
    // Or a wrong credential would be a program that does nothing and says nothing.
    const isStopped = error !== null && (state === 'refused' || state === 'closed');
    const isHeard = this.#watchers.size > 0 || [...this.#ledger.followers].some(({ delivery }) => delivery.hearsStatus);
    if (isStopped && !isHeard) this.#environment.report(error);
    for (const { delivery } of this.#ledger.followers) delivery.status(next);
    for (const watcher of this.#watchers) {
      try {
        watcher(next);
      } catch (error) {
        this.#environment.report(error);
      }
    }
  }

  onStatus(listener: (status: Status) => void): () => void {
    check('listener', listener, 'function');
    // Each call counts, the same function or not.
    const watcher = (status: Status) => listener(status);
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  subscribe<Data>(
    what: string | readonly string[] | Subscribe,
    listener: Listeners<Data> | ((event: Event<Data>) => unknown),
  ): Subscription {
    const { channels, types, categories, since = 'now' } = selectionOf(what);
    checkListener(listener);
    const listeners = (typeof listener === 'function' ? { onEvent: listener } : listener) as Listeners;
    const { queueLimit = 1000 } = this.#options;
    const delivery = new Delivery(listeners, queueLimit, (error) => this.#environment.report(error));
    const follower = new Follower({ channels, types, categories }, since as Since, delivery, queueLimit);
    if (this.#isClosed) {
      follower.close();
      return { ready: follower.ready, close: () => {} };
    }
    this.#follow(follower, since as Since);
    return { ready: follower.ready, close: () => this.#unfollow(follower) };
  }

  #follow(follower: Follower, since: Since): void {
    const state = this.#driver?.state;
    if (state?.name === 'live' && state.cursor !== null) {
      if (since === 'now') {
        const joined = [...follower.channels].filter((channel) => state.channels.get(channel)?.phase === 'joined');
        follower.joined(new Set(joined), state.cursor);
      } else if (!this.#ledger.recall(follower, since)) {
        this.#again ??= since;
      }
    }
    this.#ledger.add(follower);
    // Where the stream has not come there yet, others may want what it gives of the channel until then.
    const begin = state?.cursor && isAhead(since, state.cursor) ? state.cursor : since;
    for (const channel of follower.channels) this.#note(channel, begin);
  }
  #again: Since | null | undefined;

  #note(channel: string, since: Since): void {
    const noted = this.#changed.get(channel);
    this.#changed.set(channel, earlier(noted ?? 'now', since));
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    queueMicrotask(() => this.#flush());
  }

  #unfollow(follower: Follower): void {
    if (!this.#ledger.followers.has(follower)) return;
    this.#ledger.remove(follower);
    follower.close();
    for (const channel of follower.channels) if (!this.#ledger.has(channel)) this.#note(channel, 'now');
  }

  async #drive(): Promise<Driver> {
    const { transports, requests, options } = this.#parts;
    // What the first step will ask for; whatever fails here is asked for again, and told then.
    transports[0]?.load().catch(() => {});
    requests().catch(() => {});
    const { drive } = await (options.tabs ? import('./tabs/index.ts') : import('./driver.ts'));
    return drive(this.#parts);
  }

  /** Loads what the connection is made of, which a page without subscriptions does not need. */
  #load(attempt: number): void {
    this.#tell({ ...this.#status, state: 'connecting', attempt });
    this.#drive().then(
      (driver) => {
        if (this.#isClosed) return;
        this.#driver = driver;
        this.#unwatch = this.#environment.watch((type) => driver.take({ type }));
        this.#flush();
      },
      (error) => {
        if (this.#isClosed) return;
        this.#tell({ ...this.#status, error: new TidingsError(asFailure(error)) });
        this.#unwatch = this.#environment.after(this.#pause(attempt), () => this.#load(attempt + 1));
      },
    );
  }

  /** Tells the machine what has changed within this task, all at once. */
  #flush(): void {
    const driver = this.#driver;
    if (driver === undefined) {
      if (this.#status === IDLE) this.#load(0);
      return;
    }
    this.#isPlanned = false;
    const changed = [...this.#changed];
    this.#changed.clear();
    const add = changed
      .filter(([channel]) => this.#ledger.has(channel))
      .map(([channel, since]) => ({ channel, since }));
    const remove = changed.filter(([channel]) => !this.#ledger.has(channel)).map(([channel]) => channel);
    const filter = this.#ledger.filter();
    const isWider = !isWithin(filter, this.#filter);
    const { name } = driver.state;
    if (isWider || (name !== 'live' && name !== 'opening')) this.#filter = filter;
    const again = this.#again ?? (isWider ? null : undefined);
    this.#again = undefined;
    driver.take({ type: 'want', add, remove, ...(again !== undefined && { again }) });
  }

  reconnect(): void {
    this.#driver?.take({ type: 'reconnect' });
  }

  close(): void {
    this.#isClosed = true;
    this.#unwatch();
    for (const end of this.#snapshots) end();
    for (const follower of [...this.#ledger.followers]) {
      this.#ledger.remove(follower);
      follower.close();
    }
    this.#driver?.take({ type: 'close' });
    this.#driver?.dispose();
    if (this.#driver === undefined) this.#tell({ ...IDLE, state: 'closed' });
    this.#watchers.clear();
  }

  async ticket(channels: readonly string[]): Promise<Ticket> {
    check('channels', channels, [PATTERN]);
    return (await this.#requests()).issue(channels);
  }

  async fetch(path: string, options?: FetchOptions): Promise<Fetched> {
    check('path', path, PATH);
    return (await this.#requests()).fetch(path, options);
  }

  snapshot<Value, Data>(
    source: SnapshotSource,
    channels: string | readonly string[] | Subscribe,
    listeners: SnapshotListeners<Value, Data>,
  ): Subscription {
    const [client, what, control] = [this, selectionOf(channels), new AbortController()];
    checkSource(source, listeners);
    const { signal } = control;
    const parts = { client, environment: this.#environment, options: this.#options, source, what, listeners, signal };
    const close = () => {
      this.#snapshots.delete(close);
      control.abort();
    };
    if (this.#isClosed) close();
    else this.#snapshots.add(close);
    const ready = this.#begin(parts, 0);
    // Whoever does not ask is not told.
    ready.catch(() => {});
    return { ready, close };
  }

  async #begin<Value, Data>(parts: SnapshotParts<Value, Data>, attempt: number): Promise<void> {
    const { signal, listeners, environment } = parts;
    // One promise for all: what is asked for within one task begins within one task.
    this.#followSnapshot ??= import('./snapshot.ts').then(({ followSnapshot }) => followSnapshot);
    const loading = this.#followSnapshot;
    try {
      await loading;
    } catch (error) {
      if (this.#followSnapshot === loading) this.#followSnapshot = undefined;
      if (signal.aborted) throw new TidingsError(asFailure(error));
      (listeners.onError ?? environment.report)(error as Error);
      await new Promise<void>((resolve) => {
        const cancel = environment.after(this.#pause(attempt), resolve);
        signal.addEventListener('abort', () => {
          cancel();
          resolve();
        });
      });
      return this.#begin(parts, attempt + 1);
    }
    return (await loading)(parts).ready;
  }

  /** How long to wait before something is loaded again. */
  #pause(attempt: number): number {
    return this.#environment.random() * Math.min(30_000, 1000 * 2 ** Math.min(attempt, 5));
  }
}

/**
 * Makes a client. Nothing is opened until something is subscribed.
 *
 * @throws TypeError or RangeError where there is no server address, or an option is what it cannot be.
 */
export function createClient(options: ClientOptions = {}): Client {
  return new TidingsClient(options);
}
