import type { Enqueued } from './options.ts';

/** Something that waits to be sent. */
export interface Parcel<Content> {
  /** What has to be sent in order is in one lane. */
  readonly lane: string;
  readonly content: Content;
  readonly bytes: number;
  /** For whom is told of a failure. */
  readonly enqueued: Enqueued;
}

/** The bounds, and what is done with parcels. */
export interface OutboxOptions<Content> {
  /** Most parcels, the ones being sent included. */
  readonly limit: number;
  /** Most bytes of them. */
  readonly bytes: number;
  /** Most lanes that send at the same time. */
  readonly concurrency: number;
  /** How many from the front go together; at least one. */
  readonly together: (waiting: readonly Parcel<Content>[]) => number;
  /** Sends, and deals with failures: never rejects. */
  readonly send: (parcels: readonly Parcel<Content>[]) => Promise<void>;
}

/** Somebody who waits for these parcels. */
interface Flush {
  readonly parcels: Set<object>;
  readonly resolve: () => void;
}

/**
 * A bounded queue in lanes. Within a lane parcels are sent in the order they came, one request after the other; lanes
 * take turns, so that a slow one does not hold up the rest.
 */
export class Outbox<Content> {
  readonly #options: OutboxOptions<Content>;
  /** Lanes with something in them. */
  readonly #lanes = new Map<string, Parcel<Content>[]>();
  /** Lanes that wait for their turn. */
  readonly #waiting: string[] = [];
  readonly #flushes = new Set<Flush>();
  /** Everything that is not settled, in the order it came. */
  readonly #pending = new Set<Parcel<Content>>();
  #bytes = 0;
  #sending = 0;

  constructor(options: OutboxOptions<Content>) {
    this.#options = options;
  }

  /** How many parcels wait or are being sent. */
  get size(): number {
    return this.#pending.size;
  }

  /** Takes a parcel; false where there is no room. */
  offer(parcel: Parcel<Content>): boolean {
    const { limit, bytes } = this.#options;
    if (this.#pending.size >= limit || this.#bytes + parcel.bytes > bytes) return false;
    this.#pending.add(parcel);
    this.#bytes += parcel.bytes;
    const lane = this.#lanes.get(parcel.lane);
    if (lane === undefined) {
      this.#lanes.set(parcel.lane, [parcel]);
      this.#waiting.push(parcel.lane);
      // In a microtask: what is offered in one go can go together.
      queueMicrotask(() => this.#turn());
    } else {
      lane.push(parcel);
    }
    return true;
  }

  /**
   * `done` resolves once everything that is in it now has been dealt with; later parcels are not waited for. `forget`
   * is for whoever does not wait that long.
   */
  settled(): { readonly done: Promise<void>; readonly forget: () => void } {
    const parcels = new Set<object>(this.#pending);
    const { promise, resolve } = withResolver();
    const flush: Flush = { parcels, resolve };
    if (parcels.size === 0) resolve();
    else this.#flushes.add(flush);
    return { done: promise, forget: () => this.#flushes.delete(flush) };
  }

  /** Takes out what is not being sent. */
  clear(): readonly Parcel<Content>[] {
    const dropped: Parcel<Content>[] = [];
    for (const name of this.#waiting.splice(0)) {
      dropped.push(...(this.#lanes.get(name) ?? []));
      this.#lanes.delete(name);
    }
    // A lane that is sending keeps its entry: its turn ends there.
    for (const lane of this.#lanes.values()) dropped.push(...lane.splice(0));
    for (const parcel of dropped) this.#settle(parcel);
    return dropped;
  }

  #turn(): void {
    while (this.#sending < this.#options.concurrency) {
      const name = this.#waiting.shift();
      if (name === undefined) return;
      this.#sending += 1;
      void this.#sendFrom(name);
    }
  }

  async #sendFrom(name: string): Promise<void> {
    const lane = this.#lanes.get(name) ?? [];
    const parcels = lane.splice(0, Math.max(1, this.#options.together(lane)));
    try {
      if (parcels.length > 0) await this.#options.send(parcels);
    } finally {
      this.#sending -= 1;
      for (const parcel of parcels) this.#settle(parcel);
      if (lane.length === 0) this.#lanes.delete(name);
      else this.#waiting.push(name);
      this.#turn();
    }
  }

  #settle(parcel: Parcel<Content>): void {
    this.#pending.delete(parcel);
    this.#bytes -= parcel.bytes;
    for (const flush of this.#flushes) {
      if (!flush.parcels.delete(parcel) || flush.parcels.size > 0) continue;
      this.#flushes.delete(flush);
      flush.resolve();
    }
  }
}

function withResolver(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
