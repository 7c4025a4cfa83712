// A client whose every answer a test scripts.

import {
  type Client,
  type Event,
  type Fetched,
  type FetchOptions,
  type Gap,
  type Listeners,
  type SnapshotListeners,
  type SnapshotSource,
  type Status,
  type Subscribe,
  type Subscription,
  TidingsError,
} from '@tidings/client';
import type { Cast } from '@tidings/client/casts';

export const CONNECTED: Status = {
  state: 'connected',
  transport: 'websocket',
  error: null,
  attempt: 0,
  nextAttemptAt: null,
};

/** What is subscribed: a test tells its listeners. */
export class FakeFollowing {
  isClosed = false;
  readonly ready: Promise<void>;
  #settle: { resolve(): void; reject(error: Error): void } | undefined;
  readonly what: Subscribe;
  readonly source: SnapshotSource | undefined;
  readonly listeners: Partial<SnapshotListeners<never>>;

  constructor(what: Subscribe, source: SnapshotSource | undefined, listeners: Partial<SnapshotListeners<never>>) {
    this.what = what;
    this.source = source;
    this.listeners = listeners;
    this.ready = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.ready.catch(() => {});
  }

  get channels(): readonly string[] {
    return [this.what.channels].flat();
  }

  /** Events come from now on. */
  open(): this {
    this.#settle?.resolve();
    return this;
  }

  snapshot(value: unknown, isRefetched = false): this {
    if (!this.isClosed) void this.listeners.onSnapshot?.(value as never, { cursor: null, version: null, isRefetched });
    return this;
  }

  event(event: Event): void {
    if (!this.isClosed) void this.listeners.onEvent?.(event as Event<unknown>);
  }

  gap(reason: Gap['reason']): void {
    if (!this.isClosed) void this.listeners.onGap?.({ reason, channels: this.channels, through: null });
  }

  error(error: Error): void {
    if (!this.isClosed) this.listeners.onError?.(error);
  }

  /** It cannot be had. */
  refuse(status: number, code: string): void {
    const error = new TidingsError({ kind: status === 404 ? 'blocked' : 'forbidden', code, status });
    this.#settle?.reject(error);
    this.error(error);
  }

  close(): void {
    this.isClosed = true;
    this.#settle?.reject(new TidingsError({ kind: 'gone', code: 'closed' }));
  }
}

/** A request that a test answers. */
export interface FakeRequest {
  readonly path: string;
  readonly signal: AbortSignal | undefined;
  answer(status: number, body: unknown, headers?: Record<string, string>): void;
  fail(): void;
}

export class FakeClient implements Client {
  status: Status;
  readonly all: FakeFollowing[] = [];
  readonly requests: FakeRequest[] = [];
  readonly watchers = new Set<(status: Status) => void>();
  reconnects = 0;

  constructor(status: Status = CONNECTED) {
    this.status = status;
  }

  /** What is followed now. */
  get open(): FakeFollowing[] {
    return this.all.filter(({ isClosed }) => !isClosed);
  }

  /** The one that follows this channel now. */
  on(channel: string): FakeFollowing {
    const found = this.open.filter(({ channels }) => channels.includes(channel));
    if (found.length !== 1 || found[0] === undefined) throw new Error(`${found.length} follow ${channel}`);
    return found[0];
  }

  become(change: Partial<Status>): void {
    this.status = { ...this.status, ...change };
    for (const watcher of [...this.watchers]) watcher(this.status);
  }

  subscribe<Data>(
    what: string | readonly string[] | Subscribe,
    listener: Listeners<Data> | ((event: Event<Data>) => void | Promise<void>),
  ): Subscription {
    const listeners = typeof listener === 'function' ? { onEvent: listener } : listener;
    return this.#follow(what, undefined, listeners as Listeners);
  }

  snapshot<Value, Data>(
    source: SnapshotSource,
    what: string | readonly string[] | Subscribe,
    listeners: SnapshotListeners<Value, Data>,
  ): Subscription {
    return this.#follow(what, source, listeners as unknown as SnapshotListeners<never>);
  }

  #follow(
    what: string | readonly string[] | Subscribe,
    source: SnapshotSource | undefined,
    listeners: Partial<SnapshotListeners<never>>,
  ): FakeFollowing {
    const given = typeof what === 'string' || Array.isArray(what) ? { channels: what } : (what as Subscribe);
    if ([given.channels].flat().some((channel) => channel.includes(' '))) throw new TypeError('no channel');
    const following = new FakeFollowing(given, source, listeners);
    this.all.push(following);
    return following;
  }

  onStatus(listener: (status: Status) => void): () => void {
    this.watchers.add(listener);
    return () => this.watchers.delete(listener);
  }

  reconnect(): void {
    this.reconnects += 1;
  }

  close(): void {
    this.become({ state: 'closed' });
  }

  ticket(): never {
    throw new Error('no tickets');
  }

  fetch(path: string, options: FetchOptions = {}): Promise<Fetched> {
    return new Promise((resolve, reject) => {
      const { signal } = options;
      signal?.addEventListener('abort', () => reject(new TidingsError({ kind: 'network', code: 'aborted' })));
      this.requests.push({
        path,
        signal,
        answer: (status, body, headers = {}) => {
          const text = JSON.stringify(body);
          resolve(new Response(text, { status, headers }) as unknown as Fetched);
        },
        fail: () => reject(new TidingsError({ kind: 'network', code: 'network' })),
      });
    });
  }
}

/** A record. */
export function cast(id: string, change: Partial<Cast> = {}): Cast {
  return {
    id,
    userId: 'usr_1',
    status: 'queued',
    progress: null,
    message: null,
    startedAt: null,
    finishedAt: null,
    duration: null,
    costCents: null,
    artifactUrl: null,
    errorMessage: null,
    createdAt: '2026-01-01T00:00:00.000Z',
    updatedAt: '2026-01-01T00:00:00.000Z',
    version: 1,
    ...change,
  };
}

let position = 0;

/** An event, later than all before. */
export function event(channel: string, type: string, data: unknown, version?: number): Event {
  position += 1;
  const id = `${String(position).padStart(13, '0')}.0000000` as Event['id'];
  const time = '2026-01-01T00:00:01.000Z';
  return { id, channel, type, time, data, ...(version !== undefined && { version }) };
}

/** Something that happens to a cast. */
export function castEvent(castId: string, type: string, data: object, version: number): Event {
  const timestamp = `2026-01-01T00:00:${String(version).padStart(2, '0')}.000Z`;
  return event(`cast:${castId}`, type, { castId, ...data, timestamp }, version);
}
