import { castOf, receiptsOf } from './answers.ts';
import { checkCall, number, type Rule, SIGNAL } from './check.ts';
import type { Draft } from './draft.ts';
import { closed, PublishError } from './errors.ts';
import type { Cast, Receipt } from './generated.ts';
import { type PublisherOptions, type Settings, settingsOf } from './options.ts';
import { bodyOf, type Prepared, partLength, prepare } from './prepared.ts';
import { Queue } from './queue.ts';
import { postUntilAnswered } from './retry.ts';
import { bodyOfTelling, type CastTelling, pathOf } from './telling.ts';

/** How one call is made. What these cannot be rejects with a `TypeError` or `RangeError`. */
export interface CallOptions {
  /** Ends the call: it rejects with the signal's reason. What was sent by then may have been stored. */
  readonly signal?: AbortSignal | undefined;
}

/** How long is waited. */
export interface FlushOptions {
  /** Most milliseconds. Default: 30,000. */
  readonly timeout?: number | undefined;
}

/** Publishes events. Awaited calls reject with a {@link PublishError}; enqueued ones tell `onError`. */
export interface Publisher {
  /** Publishes an event and gives its place in the log, once it is on disk. */
  publish(event: Draft, options?: CallOptions): Promise<Receipt>;
  /**
   * Publishes events in their order and gives a receipt for each. Up to 100 events and 1 MiB are one request, all or
   * none; more are sent in parts, one after the other, and the first part that fails ends it: the error's `published`
   * has the receipts of the parts before.
   */
  publishBatch(events: readonly Draft[], options?: CallOptions): Promise<Receipt[]>;
  /** Tells what happened to a cast that you keep in your own database; gives the cast as Tidings has it. */
  tellCast(castId: string, telling: CastTelling, options?: CallOptions): Promise<Cast>;
  /**
   * Hands an event over and returns at once: true where it was taken, false where there was no room, it was closed, or
   * the event is no JSON (`onError` is told). Enqueued events are published in the order they were enqueued; while the
   * server is away they wait, for as long as `queueAge` says.
   */
  enqueue(event: Draft): boolean;
  /** The same for what is told of a cast; the order is kept for each cast. */
  enqueueCast(castId: string, telling: CastTelling): boolean;
  /** How many enqueued events have not been dealt with. */
  readonly queued: number;
  /** Waits until what is enqueued now has been published or `onError` was told; false where time was up before. */
  flush(options?: FlushOptions): Promise<boolean>;
  /** Takes nothing more, flushes, and gives up what is left then: `onError` is told `closed`. */
  close(options?: FlushOptions): Promise<boolean>;
}

/** Makes a publisher; throws a `TypeError` or `RangeError` for options that cannot be. It opens nothing before the first event. */
export function createPublisher(options: PublisherOptions = {}): Publisher {
  return new HttpPublisher(settingsOf(options));
}

const CALL: { readonly [name: string]: Rule } = { signal: SIGNAL };
const FLUSH: { readonly [name: string]: Rule } = { timeout: number(0) };

class HttpPublisher implements Publisher {
  readonly #settings: Settings;
  readonly #queue: Queue;
  #isClosed = false;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#queue = new Queue(settings);
  }

  async publish(event: Draft, options: CallOptions = {}): Promise<Receipt> {
    checkCall(options, CALL);
    this.#check();
    const [receipt] = await this.#post([prepare(event)], options.signal);
    return receipt as Receipt;
  }

  async publishBatch(events: readonly Draft[], options: CallOptions = {}): Promise<Receipt[]> {
    checkCall(options, CALL);
    this.#check();
    if (!Array.isArray(events)) throw new PublishError('invalid_event', 'the events must be an array');
    const prepared = events.map(prepare);
    const receipts: Receipt[] = [];
    while (receipts.length < prepared.length) {
      const end = receipts.length + partLength(prepared, receipts.length);
      try {
        receipts.push(...(await this.#post(prepared.slice(receipts.length, end), options.signal)));
      } catch (error) {
        if (error instanceof PublishError) error.published = receipts;
        throw error;
      }
    }
    return receipts;
  }

  async tellCast(castId: string, telling: CastTelling, options: CallOptions = {}): Promise<Cast> {
    checkCall(options, CALL);
    this.#check();
    return castOf(await postUntilAnswered(this.#settings, pathOf(castId), bodyOfTelling(telling), options.signal));
  }

  enqueue(event: Draft): boolean {
    return this.#queue.offerEvent(event);
  }

  enqueueCast(castId: string, telling: CastTelling): boolean {
    return this.#queue.offerTelling(castId, telling);
  }

  get queued(): number {
    return this.#queue.size;
  }

  async flush(options: FlushOptions = {}): Promise<boolean> {
    checkCall(options, FLUSH);
    return this.#queue.flush(options.timeout);
  }

  async close(options: FlushOptions = {}): Promise<boolean> {
    checkCall(options, FLUSH);
    this.#isClosed = true;
    return this.#queue.close(options.timeout);
  }

  #check(): void {
    if (this.#isClosed) throw closed();
  }

  async #post(events: readonly Prepared[], signal: AbortSignal | undefined): Promise<readonly Receipt[]> {
    const answer = await postUntilAnswered(this.#settings, '/v1/publish', bodyOf(events), signal);
    return receiptsOf(answer, events.length);
  }
}
