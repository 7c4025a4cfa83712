// A record and what happens to it after, as one thing.
//
// The record's response says at which position it was read (`Tidings-Cursor`); the events after that follow. Where the
// response does not say so, the stream is opened first and the record read then: what the record has already seen is
// told from what it has not by its version.

import type { Client, Subscribe, Subscription } from './client.ts';
import { isCursor } from './cursor.ts';
import type { Gap, Listeners } from './delivery.ts';
import type { Environment, Fetched } from './environment.ts';
import { asFailure, type Failure, failure, TidingsError } from './failure.ts';
import type { ClientOptions } from './options.ts';
import { failureOf } from './refusal.ts';
import type { Cursor, Event } from './wire/generated.ts';

/**
 * Where the record is: a path of the server, which is fetched with the client's credential, or a function that fetches
 * it. The response is read as JSON.
 */
export type SnapshotSource = string | ((signal: AbortSignal) => Promise<Fetched>);

/** What a snapshot was read as. */
export interface SnapshotInfo {
  /** The position at which it was read; `null` where the response does not say. */
  readonly cursor: Cursor | null;
  /** The record's version, by its `ETag`; `null` where it has none. */
  readonly version: number | null;
  /** Whether this one follows a gap, and replaces what was known. */
  readonly isRefetched: boolean;
}

/**
 * What a snapshot calls: first `onSnapshot`, then the events after it; after a gap `onGap` and `onSnapshot` anew. The first
 * reading after a gap begins at once; where gaps come without an event between them, further ones wait as after failures.
 */
export interface SnapshotListeners<Value = unknown, Data = unknown> extends Listeners<Data> {
  /** The record. The events after it wait for a promise that this answers. */
  readonly onSnapshot: (value: Value, info: SnapshotInfo) => unknown;
}

export interface SnapshotParts<Value, Data> {
  readonly client: Client;
  readonly environment: Environment;
  readonly options: ClientOptions;
  readonly source: SnapshotSource;
  readonly what: Subscribe & { readonly channels: readonly string[] };
  readonly listeners: SnapshotListeners<Value, Data>;
  /** Ends it. */
  readonly signal: AbortSignal;
}

interface Read<Value> {
  readonly value: Value;
  readonly info: SnapshotInfo;
}

/** A page in place of a record, as web servers give it for any address. */
function notJson(): never {
  throw new TidingsError(failure('network', 'unexpected_answer', 'the answer is no JSON: is the address right?'));
}

/** After these the record cannot be had. */
const FINAL: readonly Failure['kind'][] = ['auth', 'forbidden', 'gone', 'blocked'];

/** What several wait for: a failure to pass, or a reading after a gap that may be in vain. */
type Cause = Failure | Gap;

/** Those that wait for the same. */
interface Wait {
  readonly runs: Set<() => void>;
  end(): void;
}

const waits = new WeakMap<Cause, Wait>();

function waitFor(why: Cause, environment: Environment, delay: number): Wait {
  const runs = new Set<() => void>();
  const go = () => {
    wait.end();
    for (const run of runs) run();
  };
  const cancel = environment.after(delay, go);
  const unwatch = environment.watch((signal) => {
    const isNamed = 'after' in why && why.after !== undefined;
    if (!isNamed && (signal === 'online' || signal === 'visible')) go();
  });
  const wait: Wait = {
    runs,
    end: () => {
      waits.delete(why);
      cancel();
      unwatch();
    },
  };
  waits.set(why, wait);
  return wait;
}

/**
 * Calls after a while, or once the page has network again or is seen, unless the server named the time; answers what
 * cancels it. Records that were read by one request fail by one failure, and lose events by one gap: they are tried again
 * in one task, so that they can be one request again.
 */
function retry(why: Cause, environment: Environment, delay: number, run: () => void): () => void {
  const wait = waits.get(why) ?? waitFor(why, environment, delay);
  wait.runs.add(run);
  return () => {
    wait.runs.delete(run);
    if (wait.runs.size === 0) wait.end();
  };
}

class Snapshot<Value, Data> {
  readonly ready: Promise<void>;
  #settle: { resolve(): void; reject(error: unknown): void } | undefined;
  readonly #parts: SnapshotParts<Value, Data>;
  #subscription: Subscription | undefined;
  #cancel = () => {};
  #attempt = 0;
  /** Gaps in a row between which nothing was told of what happened after the record. */
  #inVain = 0;
  /** Counts the readings, so that what belongs to an earlier one is left alone. */
  #reading = 0;

  constructor(parts: SnapshotParts<Value, Data>) {
    this.#parts = parts;
    this.ready = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.ready.catch(() => {});
    parts.signal.addEventListener('abort', () => this.#close());
    if (parts.signal.aborted) this.#close();
    else this.#start(false);
  }

  #start(isRefetched: boolean): void {
    this.#reading += 1;
    const reading = this.#reading;
    this.#begin(reading, isRefetched).catch((error) => this.#failed(error, reading, isRefetched));
  }

  async #begin(reading: number, isRefetched: boolean): Promise<void> {
    const first = await this.#fetch(isRefetched);
    if (reading !== this.#reading) return;
    if (first.info.cursor !== null) {
      await this.#tell(first);
      if (reading === this.#reading) this.#follow(first.info.cursor, reading, null);
      return;
    }
    const held: Event<Data>[] = [];
    const stream = this.#follow('now', reading, held);
    await stream.ready;
    const second = await this.#fetch(isRefetched);
    if (reading !== this.#reading) return;
    await this.#tell(second);
    this.#seen = second.info.version ?? 0;
    for (let event = held.shift(); event !== undefined; event = held.shift()) {
      if (!this.#hasSeen(event)) await this.#give(event);
      if (reading !== this.#reading) return;
    }
    this.#isHolding = false;
  }
  #isHolding = false;
  /** The version up to which a record of unknown position has seen events: they may come before or after it is read. */
  #seen = 0;

  #hasSeen({ version }: Event<Data>): boolean {
    return version !== undefined && version <= this.#seen;
  }

  #give(event: Event<Data>): unknown {
    this.#inVain = 0;
    return this.#parts.listeners.onEvent?.(event);
  }

  async #tell({ value, info }: Read<Value>): Promise<void> {
    this.#attempt = 0;
    try {
      await this.#parts.listeners.onSnapshot(value, info);
    } catch (error) {
      this.#error(error);
    }
  }

  async #fetch(isRefetched: boolean): Promise<Read<Value>> {
    const { source, client, signal } = this.#parts;
    const response = await (typeof source === 'string' ? client.fetch(source, { signal }) : source(signal));
    if (!response.ok) throw new TidingsError(await failureOf(response));
    const cursor = response.headers.get('tidings-cursor') ?? '';
    const tag = /^(?:W\/)?"(\d+)"$/.exec(response.headers.get('etag') ?? '')?.[1];
    const value = (await response.json().catch(notJson)) as Value;
    const version = tag === undefined ? null : Number(tag);
    return { value, info: { cursor: isCursor(cursor) ? cursor : null, version, isRefetched } };
  }

  #follow(since: Cursor | 'now', reading: number, held: Event<Data>[] | null): Subscription {
    const { client, what, listeners, options } = this.#parts;
    const { onStatus, onError } = listeners;
    this.#isHolding = held !== null;
    this.#seen = 0;
    const { queueLimit = 1000 } = options;
    const subscription = client.subscribe<Data>(
      { ...what, since },
      {
        ...(onStatus && { onStatus }),
        ...(onError && { onError }),
        onEvent: (event) => {
          if (this.#hasSeen(event)) return undefined;
          if (held === null || !this.#isHolding) return this.#give(event);
          held.push(event);
          if (held.length > queueLimit)
            this.#onGap({ reason: 'overflow', channels: what.channels, through: event.id }, reading);
          return undefined;
        },
        onGap: (gap) => this.#onGap(gap, reading),
      },
    );
    this.#subscription = subscription;
    subscription.ready.then(
      () => this.#settle?.resolve(),
      (error) => reading === this.#reading && this.#settle?.reject(error),
    );
    return subscription;
  }

  /**
   * What is known may be old: it is read again, and the stream goes on from there. A record from a cache may be older than
   * what the log still has: whoever reads it again at once reads it for ever.
   */
  #onGap(gap: Gap, reading: number): void {
    if (reading !== this.#reading) return;
    try {
      // What it answers is not waited for: the record is what counts.
      Promise.resolve(this.#parts.listeners.onGap?.(gap)).catch((error) => this.#error(error));
    } catch (error) {
      this.#error(error);
    }
    if (gap.reason === 'unauthorized') return;
    this.#subscription?.close();
    this.#inVain += 1;
    // What the old stream still had is of no interest.
    this.#reading += 1;
    if (this.#inVain === 1) this.#start(true);
    else this.#later(gap, this.#inVain - 2, 0, true);
  }

  #failed(error: unknown, reading: number, isRefetched: boolean): void {
    if (reading !== this.#reading) return;
    const why = asFailure(error);
    this.#error(error instanceof TidingsError ? error : new TidingsError(why));
    if (FINAL.includes(why.kind)) {
      this.#settle?.reject(error);
      this.#subscription?.close();
      return;
    }
    this.#later(why, this.#attempt, why.after ?? 0, isRefetched);
    this.#attempt += 1;
  }

  /** Reads it again after what the backoff says, and after this time at least. */
  #later(why: Cause, attempt: number, least: number, isRefetched: boolean): void {
    const { environment, options } = this.#parts;
    const { initial = 1000, max = 30_000 } = options.backoff ?? {};
    const limit = Math.min(max, initial * 2 ** Math.min(attempt, 30));
    const again = () => this.#start(isRefetched);
    this.#cancel = retry(why, environment, Math.max(least, environment.random() * limit), again);
  }

  #error(error: unknown) {
    const { onError } = this.#parts.listeners;
    if (onError === undefined) return this.#parts.environment.report(error);
    onError(error as Error);
  }

  #close(): void {
    this.#reading += 1;
    this.#cancel();
    this.#subscription?.close();
    this.#settle?.reject(new TidingsError(failure('gone', 'closed', 'the subscription was closed')));
  }
}

/** Follows a record; see `Client.snapshot`. */
export function followSnapshot<Value, Data>(parts: SnapshotParts<Value, Data>): { readonly ready: Promise<void> } {
  return new Snapshot(parts);
}
