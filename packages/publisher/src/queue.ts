import { castOf, receiptsOf } from './answers.ts';
import { timerTime } from './backoff.ts';
import type { Draft } from './draft.ts';
import { closed, PublishError } from './errors.ts';
import type { Enqueued, Settings } from './options.ts';
import { Outage } from './outage.ts';
import { Outbox, type Parcel, type Unsent } from './outbox.ts';
import { bodyOf, type Prepared, partLength, prepare } from './prepared.ts';
import { post } from './request.ts';
import { bodyOfTelling, type CastTelling, pathOf } from './telling.ts';

type Content =
  | { readonly kind: 'event'; readonly prepared: Prepared }
  | { readonly kind: 'cast'; readonly path: string; readonly body: string };

/** Lanes of casts are named by their paths, which begin with a slash. */
const EVENTS = 'events';

/** Publishes what nobody waits for. Whatever goes wrong is told to `onError`: nothing throws. */
export class Queue {
  readonly #settings: Settings;
  readonly #outage: Outage;
  readonly #outbox: Outbox<Content>;
  /** Ends what is under way. */
  readonly #ended = new AbortController();
  #isClosed = false;

  constructor(settings: Settings) {
    this.#settings = settings;
    this.#outage = new Outage(settings.retry, (error) => {
      guarded('onWaiting', () => settings.onWaiting(error));
    });
    this.#outbox = new Outbox({
      limit: settings.queueLimit,
      bytes: settings.queueBytes,
      age: settings.queueAge,
      concurrency: settings.concurrency,
      outage: this.#outage,
      together,
      send: (parcels) => this.#send(parcels),
      giveUp: (parcel, why) => this.#tell(why === 'closed' ? closed() : this.#tooOld(parcel), parcel.enqueued),
    });
  }

  get size(): number {
    return this.#outbox.size;
  }

  offerEvent(event: Draft): boolean {
    return this.#offer({ kind: 'event', event }, () => {
      const prepared = prepare(event);
      return { lane: EVENTS, content: { kind: 'event', prepared }, bytes: prepared.bytes };
    });
  }

  offerTelling(castId: string, telling: CastTelling): boolean {
    return this.#offer({ kind: 'cast', castId, telling }, () => {
      const [path, body] = [pathOf(castId), bodyOfTelling(telling)];
      return { lane: path, content: { kind: 'cast', path, body }, bytes: Buffer.byteLength(body) };
    });
  }

  /** Waits until what is in it now has been dealt with; false where time was up before. */
  async flush(timeout = 30_000): Promise<boolean> {
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

  /** Takes nothing more, flushes, and gives up what is left then. */
  async close(timeout?: number): Promise<boolean> {
    this.#isClosed = true;
    const isDone = await this.flush(timeout);
    this.#outbox.close();
    this.#ended.abort(closed());
    return isDone;
  }

  #offer(enqueued: Enqueued, parcelOf: () => Pick<Parcel<Content>, 'lane' | 'content' | 'bytes'>): boolean {
    try {
      if (this.#isClosed) throw closed();
      const parcel = { ...parcelOf(), enqueued, since: performance.now(), attempts: 0 };
      if (this.#outbox.offer(parcel)) return true;
      const { queueLimit, queueBytes } = this.#settings;
      const holds = `the queue holds ${queueLimit} events or ${queueBytes} bytes, which is its limit`;
      throw new PublishError('queue_full', holds);
    } catch (error) {
      this.#tell(asPublishError(error), enqueued);
      return false;
    }
  }

  async #send(parcels: readonly Parcel<Content>[]): Promise<Unsent<Content> | undefined> {
    const [first] = parcels;
    if (first === undefined) return undefined;
    for (const parcel of parcels) parcel.attempts += 1;
    try {
      await this.#post(first, parcels);
    } catch (error) {
      const failure = asPublishError(error);
      failure.attempts = first.attempts;
      if (parcels.length > 1 && isOfOneEvent(failure)) return this.#sendSingly(parcels);
      if (failure.isTemporary && !this.#isHopeless(failure, parcels)) return { parcels, error: failure };
      for (const { enqueued } of parcels) this.#tell(failure, enqueued);
    }
    return undefined;
  }

  async #post({ content }: Parcel<Content>, parcels: readonly Parcel<Content>[]): Promise<void> {
    const isCast = content.kind === 'cast';
    const path = isCast ? content.path : '/v1/publish';
    const body = isCast ? content.body : bodyOf(parcels.flatMap(preparedOf));
    const answer = await post(this.#settings, path, body, this.#ended.signal);
    if (isCast) castOf(answer);
    else receiptsOf(answer, parcels.length);
  }

  /** A batch is stored whole or not at all: where one event is refused, the others are sent without it. */
  async #sendSingly(parcels: readonly Parcel<Content>[]): Promise<Unsent<Content> | undefined> {
    for (const [index, parcel] of parcels.entries()) {
      const unsent = await this.#send([parcel]);
      if (unsent !== undefined) return { parcels: parcels.slice(index), error: unsent.error };
    }
    return undefined;
  }

  /**
   * Whether the server has failed for long enough at this one event. It is there and answers: the others need not wait
   * for an event that it cannot take.
   */
  #isHopeless(failure: PublishError, [parcel, ...others]: readonly Parcel<Content>[]): boolean {
    if (failure.code !== 'internal' || parcel === undefined || others.length > 0) return false;
    parcel.failingSince ??= performance.now();
    return performance.now() - parcel.failingSince >= this.#settings.retry.within;
  }

  #tooOld(parcel: Parcel<Content>): PublishError {
    const { last } = this.#outage;
    const waited = `the event waited for ${this.#settings.queueAge} ms in the queue, which is its limit`;
    const why = last === undefined ? '' : `; the last failure was ${last.message}`;
    const error = new PublishError('too_old', `${waited}${why}`, { cause: last });
    error.attempts = parcel.attempts;
    return error;
  }

  #tell(error: PublishError, enqueued: Enqueued): void {
    guarded('onError', () => this.#settings.onError(error, enqueued));
  }
}

/** What the caller's functions throw is theirs, and nobody's to catch. */
function guarded(name: string, call: () => void): void {
  try {
    call();
  } catch (thrown) {
    console.error(`tidings: ${name} threw`, thrown);
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
function isOfOneEvent({ httpStatus, code }: PublishError): boolean {
  return [400, 403, 409, 413].includes(httpStatus ?? 0) || code === 'idempotency_quota';
}

function asPublishError(error: unknown): PublishError {
  if (error instanceof PublishError) return error;
  return new PublishError('invalid_event', error instanceof Error ? error.message : String(error), { cause: error });
}
