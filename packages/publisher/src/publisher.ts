import { timerTime } from './backoff.ts';
import { PublishError } from './errors.ts';
import type { Cast, Draft, Receipt } from './generated.ts';
import { type Enqueued, type PublisherOptions, type Settings, settingsOf } from './options.ts';
import { Outbox, type Parcel } from './outbox.ts';
import { bodyOf, type Prepared, partLength, prepare } from './prepared.ts';
import { unexpected } from './request.ts';
import { postUntilAnswered } from './retry.ts';
import { bodyOfTelling, type CastTelling, pathOf } from './telling.ts';

/** How one call is made. */
export interface CallOptions {
  /** Ends the call: it rejects with the signal's reason. What was sent by then may have been stored. */
  readonly signal?: AbortSignal | undefined;
}

/** How long is waited. */
export interface FlushOptions {
  /** Most milliseconds. Default: 30,000. */
  readonly timeout?: number;
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
   * the event is no JSON (`onError` is told). Enqueued events are published in the order they were enqueued.
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

/** Makes a publisher; throws a `TypeError` for options that cannot be. It opens nothing before the first event. */
export function createPublisher(options: PublisherOptions = {}): Publisher {
  return new HttpPublisher(settingsOf(options));
}

type Content =
  | { readonly kind: 'event'; readonly prepared: Prepared }
  | { readonly kind: 'cast'; readonly path: string; readonly body: string };

/** Lanes of casts are named by their paths, which begin with a slash. */
const EVENTS = 'events';

class HttpPublisher implements Publisher {
  readonly #settings: Settings;
  readonly #outbox: Outbox<Content>;
  /** Ends what the queue has under way. */
  readonly #ended = new AbortController();
  #isClosed = false;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#outbox = new Outbox({
      limit: settings.queueLimit,
      bytes: settings.queueBytes,
      concurrency: settings.concurrency,
      together,
      send: (parcels) => this.#send(parcels),
    });
  }

  async publish(event: Draft, options: CallOptions = {}): Promise<Receipt> {
    this.#check();
    const [receipt] = await this.#post([prepare(event)], options.signal);
    if (receipt === undefined) throw noReceipts();
    return receipt;
  }

  async publishBatch(events: readonly Draft[], options: CallOptions = {}): Promise<Receipt[]> {
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
    this.#check();
    return castOf(await postUntilAnswered(this.#settings, pathOf(castId), bodyOfTelling(telling), options.signal));
  }

  enqueue(event: Draft): boolean {
    return this.#offer({ kind: 'event', event }, () => {
      const prepared = prepare(event);
      return { lane: EVENTS, content: { kind: 'event', prepared }, bytes: prepared.bytes };
    });
  }

  enqueueCast(castId: string, telling: CastTelling): boolean {
    return this.#offer({ kind: 'cast', castId, telling }, () => {
      const [path, body] = [pathOf(castId), bodyOfTelling(telling)];
      return { lane: path, content: { kind: 'cast', path, body }, bytes: Buffer.byteLength(body) };
    });
  }

  get queued(): number {
    return this.#outbox.size;
  }

  async flush({ timeout = 30_000 }: FlushOptions = {}): Promise<boolean> {
    const { done, forget } = this.#outbox.settled();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(resolve, timerTime(timeout), false);
    });
    const isDone = await Promise.race([done.then(() => true), late]);
    clearTimeout(timer);
    forget();
    return isDone;
  }

  async close(options: FlushOptions = {}): Promise<boolean> {
    this.#isClosed = true;
    const isDone = await this.flush(options);
    for (const { enqueued } of this.#outbox.clear()) this.#tell(closed(), enqueued);
    this.#ended.abort(closed());
    return isDone;
  }

  #check(): void {
    if (this.#isClosed) throw closed();
  }

  #offer(enqueued: Enqueued, parcelOf: () => Omit<Parcel<Content>, 'enqueued'>): boolean {
    try {
      this.#check();
      const parcel = parcelOf();
      if (this.#outbox.offer({ ...parcel, enqueued })) return true;
      const { queueLimit, queueBytes } = this.#settings;
      throw new PublishError(
        'queue_full',
        `the queue holds ${queueLimit} events or ${queueBytes} bytes, which is its limit`,
      );
    } catch (error) {
      this.#tell(asPublishError(error), enqueued);
      return false;
    }
  }

  async #post(events: readonly Prepared[], signal: AbortSignal | undefined): Promise<readonly Receipt[]> {
    const answer = await postUntilAnswered(this.#settings, '/v1/publish', bodyOf(events), signal);
    return receiptsOf(answer, events.length);
  }

  async #send(parcels: readonly Parcel<Content>[]): Promise<void> {
    const [first] = parcels;
    if (first === undefined) return;
    try {
      if (first.content.kind === 'cast') {
        const { path, body } = first.content;
        await postUntilAnswered(this.#settings, path, body, this.#ended.signal);
      } else {
        await this.#post(parcels.flatMap(preparedOf), this.#ended.signal);
      }
    } catch (error) {
      const failure = asPublishError(error);
      if (parcels.length > 1 && isOfOneEvent(failure)) return this.#sendSingly(parcels);
      for (const { enqueued } of parcels) this.#tell(failure, enqueued);
    }
  }

  /** A batch is stored whole or not at all: where one event is refused, the others are sent without it. */
  async #sendSingly(parcels: readonly Parcel<Content>[]): Promise<void> {
    for (const parcel of parcels) await this.#send([parcel]);
  }

  #tell(error: PublishError, enqueued: Enqueued): void {
    try {
      this.#settings.onError(error, enqueued);
    } catch (thrown) {
      console.error('tidings: onError threw', thrown);
    }
  }
}

/** Events go together in batches; what is told of casts has a request each. */
function together(waiting: readonly Parcel<Content>[]): number {
  return partLength(waiting.slice(0, 100).flatMap(preparedOf)) || 1;
}

function preparedOf({ content }: Parcel<Content>): Prepared[] {
  return content.kind === 'event' ? [content.prepared] : [];
}

/** Whether the refusal may be about one event of the batch rather than about the request. */
function isOfOneEvent(error: PublishError): boolean {
  const { status, code } = error;
  return status === 400 || status === 403 || status === 409 || status === 413 || code === 'idempotency_quota';
}

function asPublishError(error: unknown): PublishError {
  if (error instanceof PublishError) return error;
  return new PublishError('invalid_event', error instanceof Error ? error.message : String(error), { cause: error });
}

function closed(): PublishError {
  return new PublishError('closed', 'the publisher is closed; make another one');
}

function noReceipts(): PublishError {
  return unexpected('the answer has not a receipt for each event; does Tidings listen there?');
}

function receiptsOf(answer: unknown, length: number): readonly Receipt[] {
  const events = typeof answer === 'object' && answer !== null && 'events' in answer ? answer.events : undefined;
  if (!Array.isArray(events) || events.length !== length || !events.every(isReceipt)) throw noReceipts();
  return events;
}

function isReceipt(value: unknown): value is Receipt {
  if (typeof value !== 'object' || value === null) return false;
  return 'id' in value && typeof value.id === 'string' && 'duplicate' in value && typeof value.duplicate === 'boolean';
}

function castOf(answer: unknown): Cast {
  const isCast = typeof answer === 'object' && answer !== null && 'id' in answer && 'status' in answer;
  if (!isCast) throw unexpected('the answer is no cast; does Tidings listen there?');
  return answer as Cast;
}
