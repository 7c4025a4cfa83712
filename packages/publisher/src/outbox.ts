import { timerTime } from './backoff.ts';
import type { PublishError } from './errors.ts';
import type { Enqueued } from './options.ts';
import type { Outage } from './outage.ts';

/** Something that is to be sent. */
export interface Parcel<Content> {
  /** What has to be sent in order is in one lane. */
  readonly lane: string;
  readonly content: Content;
  readonly bytes: number;
  /** When it came, by `performance.now()`. */
  readonly since: number;
  /** For whom is told of a failure. */
  readonly enqueued: Enqueued;
  /** How often it was sent. */
  attempts: number;
  /** Since when the server fails at this one, sent alone. */
  failingSince?: number;
}

/** What could not be sent for the moment: the last of the parcels that were to be, and why. */
export interface Unsent<Content> {
  readonly parcels: readonly Parcel<Content>[];
  readonly error: PublishError;
}

/** The bounds, and what is done with parcels. */
export interface OutboxOptions<Content> {
  /** Most parcels, the ones being sent included. */
  readonly limit: number;
  /** Most bytes of them. */
  readonly bytes: number;
  /** Most milliseconds that one of them waits. */
  readonly age: number;
  /** Most lanes that send at the same time. */
  readonly concurrency: number;
  readonly outage: Outage;
  /** How many from the front go together; at least one. */
  readonly together: (waiting: readonly Parcel<Content>[]) => number;
  /** Sends once, and deals with what is refused: never rejects. What is unsent is sent again. */
  readonly send: (parcels: readonly Parcel<Content>[]) => Promise<Unsent<Content> | undefined>;
  /** Told of what is not sent any more: it waited too long, or the outbox was closed. */
  readonly giveUp: (parcel: Parcel<Content>, why: 'too_old' | 'closed') => void;
}

/** Parcels that are sent one after the other. */
interface Lane<Content> {
  readonly name: string;
  /** Those that wait, the oldest first. */
  readonly parcels: Parcel<Content>[];
  /** Most that go together: one after a failure, so that one that always fails keeps no others back with it. */
  most: number;
}

/** Somebody who waits for these parcels. */
interface Flush {
  readonly parcels: Set<object>;
  readonly resolve: () => void;
}

/**
 * A bounded queue in lanes. Within a lane parcels are sent in the order they came, one request after the other; lanes
 * take turns, so that a slow one does not hold up the rest. What fails for the moment goes back to where it was, and is
 * kept until it is sent or too old.
 */
export class Outbox<Content> {
  readonly #options: OutboxOptions<Content>;
  /** Lanes with something in them, or under way. */
  readonly #lanes = new Map<string, Lane<Content>>();
  /** Lanes that wait for their turn. */
  readonly #waiting = new Set<Lane<Content>>();
  readonly #flushes = new Set<Flush>();
  /** Everything that is not settled, in the order it came. */
  readonly #pending = new Set<Parcel<Content>>();
  #bytes = 0;
  #sending = 0;
  #isClosed = false;
  #timer: NodeJS.Timeout | undefined;

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
      const added: Lane<Content> = { name: parcel.lane, parcels: [parcel], most: Number.POSITIVE_INFINITY };
      this.#lanes.set(parcel.lane, added);
      this.#waiting.add(added);
      // In a microtask: what is offered in one go can go together.
      queueMicrotask(() => this.#turn());
    } else {
      lane.parcels.push(parcel);
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

  /** Gives up what is not being sent, and what comes back. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const lane of this.#lanes.values()) {
      const parcels = lane.parcels.splice(0);
      this.#leaveIfEmpty(lane);
      this.#giveUp(parcels, 'closed');
    }
  }

  #turn(): void {
    clearTimeout(this.#timer);
    this.#giveUpTheOld();
    const { concurrency, outage } = this.#options;
    for (const lane of this.#waiting) {
      if (this.#sending >= concurrency) return;
      if (outage.left > 0) {
        this.#turnIn(outage.left);
        return;
      }
      this.#waiting.delete(lane);
      this.#sending += 1;
      void this.#sendFrom(lane);
    }
  }

  /** Goes on after the pause, or before it where something is too old by then. */
  #turnIn(pause: number): void {
    const oldest = this.#oldest();
    const left = oldest === undefined ? pause : oldest.since + this.#options.age - performance.now();
    this.#timer = setTimeout(() => this.#turn(), timerTime(Math.min(pause, left)));
  }

  async #sendFrom(lane: Lane<Content>): Promise<void> {
    const { outage, send, together } = this.#options;
    const parcels = lane.parcels.splice(0, Math.max(1, Math.min(lane.most, together(lane.parcels))));
    const { round } = outage;
    const unsent = await send(parcels);
    const left = unsent?.parcels ?? [];
    for (const parcel of parcels.slice(0, parcels.length - left.length)) this.#settle(parcel);
    lane.most = unsent === undefined ? lane.most * 2 : 1;
    if (unsent !== undefined) outage.failed(unsent.error, round);
    else outage.passed(round);
    if (this.#isClosed) this.#giveUp(left, 'closed');
    else lane.parcels.unshift(...left);
    this.#sending -= 1;
    this.#waiting.add(lane);
    this.#leaveIfEmpty(lane);
    this.#turn();
  }

  /** Forgets a lane that waits with nothing; one that is sending comes back first. */
  #leaveIfEmpty(lane: Lane<Content>): void {
    if (lane.parcels.length === 0 && this.#waiting.delete(lane)) this.#lanes.delete(lane.name);
  }

  /** The oldest of those that wait: it is the first of its lane. */
  #oldest(): Parcel<Content> | undefined {
    for (const parcel of this.#pending) {
      if (this.#lanes.get(parcel.lane)?.parcels[0] === parcel) return parcel;
    }
    return undefined;
  }

  #giveUpTheOld(): void {
    const latest = performance.now() - this.#options.age;
    for (let oldest = this.#oldest(); oldest !== undefined && oldest.since <= latest; oldest = this.#oldest()) {
      const lane = this.#lanes.get(oldest.lane);
      lane?.parcels.shift();
      if (lane !== undefined) this.#leaveIfEmpty(lane);
      this.#giveUp([oldest], 'too_old');
    }
  }

  #giveUp(parcels: readonly Parcel<Content>[], why: 'too_old' | 'closed'): void {
    for (const parcel of parcels) {
      this.#settle(parcel);
      this.#options.giveUp(parcel, why);
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
