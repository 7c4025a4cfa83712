// The browser's own EventSource. It sends no headers, hides statuses, and gives events only to those who listen for
// their very type; so it is opened with a ticket where the cookie does not count, it is closed at the first error, and
// events are asked for in batches, which have one type.

import type { Since } from '../cursor.ts';
import type { Source } from '../environment.ts';
import { asFailure, type Failure, failure, TidingsError } from '../failure.ts';
import { query } from '../requests.ts';
import type { Addition, Changed, Cursor, Event, Joined, Ready } from '../wire/generated.ts';
import { catchUp } from './catch-up.ts';
import type { Ask, Connection, Host, Incoming, Transport } from './transport.ts';

const CONTROLS = ['$ready', '$reset', '$subscribed', '$joined', '$lagged', '$expiring', '$ping', '$end'];
/** Milliseconds for which the server gathers events: as good as none. */
const BATCH = '1';
/** Most frames that wait while channels catch up. */
const HELD = 10_000;

interface Batched {
  readonly id: Cursor;
  readonly event: string;
  readonly data: Event;
}

class SourceStream implements Connection {
  readonly #host: Host;
  readonly #ask: Ask;
  readonly #control = new AbortController();
  readonly #ticketed: ReadonlySet<string> | undefined;
  #source: Source | undefined;
  #session = '';
  /** Where each channel begins that has been asked for. */
  readonly #joining = new Map<string, Since>();
  /** What came while channels catch up: the stream does not stand still for them. */
  #held: Incoming[] | undefined;

  constructor(ask: Ask, host: Host) {
    this.#host = host;
    this.#ask = ask;
    if (host.requests.needsTicket) this.#ticketed = new Set(ask.all);
    this.#open().catch((error) => this.#closed(asFailure(error)));
  }

  async #open(): Promise<void> {
    const { requests, environment } = this.#host;
    const { EventSource } = environment;
    if (EventSource === undefined)
      throw new TidingsError(failure('blocked', 'unsupported', 'there is no EventSource here'));
    const ticket = this.#ticketed && (await requests.ticket(this.#ask.all)).ticket;
    if (this.#control.signal.aborted) return;
    const path = query('/v1/events', this.#ask, { batch: BATCH, ...(ticket && { ticket }) });
    const source = new EventSource(requests.url + path, { withCredentials: requests.withCredentials });
    this.#source = source;
    for (const name of [...CONTROLS, 'batch']) {
      source.addEventListener(name, ({ data, lastEventId }) => {
        if (!this.#control.signal.aborted) this.#take(name, data, lastEventId as Cursor);
      });
    }
    // It would come back by itself, with a ticket that is spent and to where it was opened.
    source.onerror = () => this.#onError();
  }

  async #onError(): Promise<void> {
    if (this.#control.signal.aborted) return;
    this.#source?.close();
    if (this.#session !== '') return this.#closed(failure('network', 'closed', 'the stream was cut'));
    this.#closed(await this.#host.requests.why());
  }

  #lastId = '';

  #take(name: string, text: string, lastId: Cursor) {
    const data = JSON.parse(text);
    if (name === 'batch') {
      this.#lastId = lastId;
      const size = text.length / Math.max((data as Batched[]).length, 1);
      for (const { id, event, data: inner } of data as Batched[]) this.#put({ id, event, data: inner, size });
      return;
    }
    if (name === '$ready') this.#session = (data as Ready).session;
    // A block without an id has the last one's, which says nothing new.
    const isNew = lastId !== this.#lastId;
    this.#lastId = lastId;
    if (name === '$joined') return this.#onJoined(data as Joined, lastId);
    if (name === '$subscribed') return;
    this.#put({ ...(isNew && { id: lastId }), event: name, data });
  }

  #put(incoming: Incoming) {
    if (this.#held === undefined) return this.#host.take(incoming);
    this.#held.push(incoming);
    if (this.#held.length > HELD)
      this.#closed(failure('network', 'overflow', 'the channels took too long to catch up'));
  }

  /** The stream has the channels from here on; what they missed is read. */
  #onJoined({ channels }: Joined, position: Cursor): void {
    const isFirst = this.#held === undefined;
    this.#held ??= [];
    const held = this.#held;
    // Behind what is being caught up with already.
    if (!isFirst) {
      held.push({ id: position, event: '$joined', data: { channels } });
      return;
    }
    this.#catchUp(channels, position).then(
      () => this.#release(),
      (error) => this.#closed(asFailure(error)),
    );
  }

  async #catchUp(channels: readonly string[], position: Cursor): Promise<void> {
    const { types, categories } = this.#ask;
    const groups = new Map<Since, string[]>();
    for (const channel of channels) {
      const since = this.#joining.get(channel) ?? 'now';
      this.#joining.delete(channel);
      groups.set(since, [...(groups.get(since) ?? []), channel]);
    }
    for (const [since, group] of groups) {
      if (since === 'now') {
        this.#host.take({ event: '$subscribed', data: { channels: group, from: position } });
        this.#host.take({ id: position, event: '$joined', data: { channels: group } });
      } else await catchUp(this.#host, { channels: group, types, categories }, since, position, this.#control.signal);
    }
  }

  /** Gives what was held, up to the next channels that are to catch up. */
  #release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    for (let next = held.shift(); next !== undefined; next = held.shift()) {
      if (this.#control.signal.aborted) return;
      if (next.event !== '$joined' || next.id === undefined) {
        this.#host.take(next);
        continue;
      }
      this.#onJoined(next.data as Joined, next.id);
      (this.#held as Incoming[] | undefined)?.push(...held);
      return;
    }
  }

  #closed(why: Failure): void {
    if (this.#control.signal.aborted) return;
    this.close();
    this.#host.closed(why);
  }

  async change(add: readonly Addition[], remove: readonly string[]): Promise<Changed> {
    const ticketed = this.#ticketed;
    if (ticketed !== undefined && add.some(({ channel }) => !ticketed.has(channel))) {
      throw new TidingsError(failure('reopen'));
    }
    for (const { channel, since = 'now' } of add) this.#joining.set(channel, since as Since);
    const names = add.map(({ channel }) => ({ channel }));
    return this.#host.requests.change(this.#session, { add: names, remove });
  }

  renew(): Promise<unknown> {
    return this.#host.requests.renew(this.#session);
  }

  close(): void {
    this.#control.abort();
    this.#source?.close();
  }
}

/** The browser's EventSource. */
export const eventsource: Transport = {
  name: 'eventsource',
  isSupported: ({ EventSource, fetch }) => EventSource !== undefined && fetch !== undefined,
  open: (ask, host) => new SourceStream(ask, host),
};
