// One subscription: what it follows, and up to where it has been given everything.
//
// Events are given in the log's order, each once: everything up to the position has been given. While channels have not
// joined, what is known of the time after it may have holes, which what they missed will fill; so events wait in their
// order, and are given as far as all channels that are catching up have come.

import { orderOf, type Since } from './cursor.ts';
import type { Delivery, Gap } from './delivery.ts';
import { failure, TidingsError } from './failure.ts';
import { covers, isWide } from './pattern.ts';
import type { Cursor, Event } from './wire/generated.ts';

/** Later than every id. */
const END = '~';

/** What a follower takes. */
export interface Selection {
  readonly channels: readonly string[];
  readonly types: readonly string[] | undefined;
  readonly categories: readonly string[] | undefined;
}

/** What one subscription holds. */
export class Follower {
  readonly channels: Set<string>;
  readonly #wide: readonly string[];
  readonly types: readonly string[] | undefined;
  readonly categories: readonly string[] | undefined;
  readonly delivery: Delivery;
  readonly ready: Promise<void>;
  /** Where it was asked to begin. */
  readonly since: Since;
  #settle: { resolve(): void; reject(error: TidingsError): void } | undefined;
  /** Everything up to here was given. */
  #position: string;
  /** Channels of which nothing is wanted before they join. */
  readonly #later: Set<string>;
  /** Channels that are catching up, or are about to. */
  readonly #pending: Set<string>;
  /** Events that wait for those, in their order. */
  #waiting: Event[] = [];
  #overflow: Event | undefined;
  readonly #limit: number;

  constructor(selection: Selection, since: Since, delivery: Delivery, limit: number) {
    this.channels = new Set(selection.channels);
    this.#wide = [...this.channels].filter(isWide);
    this.types = selection.types;
    this.categories = selection.categories;
    this.delivery = delivery;
    this.since = since;
    this.#limit = limit;
    this.#later = new Set(since === 'now' ? this.channels : []);
    this.#pending = new Set(since === 'now' ? [] : this.channels);
    this.#position = since === 'now' || since === 'start' ? '' : orderOf(since);
    this.ready = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    // Whoever does not ask is not told.
    this.ready.catch(() => {});
  }

  /** Whether an event is on one of its channels that has begun, and has not been given. */
  #isNew({ id, channel, also = [] }: Event): boolean {
    if (orderOf(id) <= this.#position) return false;
    const has = (name: string) =>
      (this.channels.has(name) && !this.#later.has(name)) ||
      this.#wide.some((pattern) => covers(pattern, name) && !this.#later.has(pattern));
    return has(channel) || also.some(has);
  }

  #give(event: Event): void {
    this.#position = orderOf(event.id);
    if (this.types !== undefined && !this.types.includes(event.type)) return;
    if (this.categories !== undefined && !this.categories.includes(event.category ?? '')) return;
    this.delivery.put({ event });
  }

  /** Keeps an event in its place until everything before it is known. */
  #wait(event: Event): void {
    const waiting = this.#waiting;
    let at = waiting.length;
    while (at > 0 && (waiting[at - 1]?.id ?? '') > event.id) at -= 1;
    if (waiting[at - 1]?.id === event.id) return;
    waiting.splice(at, 0, event);
    if (waiting.length <= this.#limit) return;
    this.#overflow = waiting.at(-1);
    this.#waiting = [];
  }

  /** Gives what waits, up to `until`. */
  #advance(until: string): void {
    while (orderOf(this.#waiting[0]?.id ?? (END as Cursor)) <= until) {
      const event = this.#waiting.shift();
      if (event === undefined) return;
      if (this.#isNew(event)) this.#give(event);
    }
  }

  /** An event of the time before it was there, or a live one. */
  take(event: Event): void {
    if (!this.#isNew(event)) return;
    if (this.#pending.size > 0) this.#wait(event);
    else this.#give(event);
  }

  /** An event that a group of channels missed. */
  missed(event: Event, group: ReadonlySet<string>): void {
    if (this.#pending.size === 0 || !this.#isNew(event)) return;
    this.#wait(event);
    // A group comes in its order: where it has everything that is pending, all before this event is known.
    for (const channel of this.#pending) if (!group.has(channel)) return;
    this.#advance(orderOf(event.id));
  }

  /** Channels are part of the stream, which is at `position`. */
  joined(channels: ReadonlySet<string>, position: Cursor): void {
    const order = orderOf(position);
    let hasBegun = false;
    for (const channel of this.channels) {
      if (!channels.has(channel)) continue;
      hasBegun = this.#later.delete(channel) || hasBegun;
      this.#pending.delete(channel);
    }
    this.#catchUp();
    // Of what begins here nothing before is wanted.
    if (hasBegun && this.#pending.size === 0 && order > this.#position) this.#position = order;
  }

  /** Once nothing is pending everything is known. */
  #catchUp(): void {
    if (this.#pending.size > 0) return;
    if (this.#overflow !== undefined) {
      const through = this.#overflow.id;
      this.#overflow = undefined;
      this.delivery.put({ gap: { reason: 'overflow', channels: [...this.channels], through } });
      this.#position = orderOf(through);
    }
    this.#advance(END);
    if (this.#later.size > 0) return;
    this.#settle?.resolve();
    this.#settle = undefined;
  }

  /** A stream begins at `position` with these channels; what was given after that before is given again. */
  opened(channels: ReadonlySet<string>, position: Cursor): void {
    const order = orderOf(position);
    this.#waiting = this.#waiting.filter(({ id }) => orderOf(id) <= order);
    for (const channel of this.channels) {
      if (!channels.has(channel) && !this.#later.has(channel)) this.#pending.add(channel);
    }
    this.joined(channels, position);
  }

  /** Tells of a gap, if it is one for this follower; `position`: where the stream was. */
  gap(gap: Gap, position: Cursor | null): void {
    const at = position === null ? '' : orderOf(position);
    if (gap.reason === 'unknown' && gap.channels.some((channel) => this.#pending.has(channel))) {
      // Its beginning is of another history, whose numbers mean nothing here.
      this.#position = at;
      this.delivery.put({ gap });
      return;
    }
    const isLost = (own: string): boolean => {
      if (this.#later.has(own) || !gap.channels.some((lost) => covers(own, lost) || covers(lost, own))) return false;
      const held = this.#pending.has(own) || at < this.#position ? this.#position : at;
      return gap.through === null || held < orderOf(gap.through);
    };
    if ([...this.channels].some(isLost)) this.delivery.put({ gap });
    if (gap.reason === 'unauthorized') for (const channel of gap.channels) this.#without(channel);
  }

  /** A channel is refused. */
  refuse(channel: string, code: string): void {
    if (!this.channels.has(channel)) return;
    const error = new TidingsError(failure('forbidden', code, `${channel}: ${code}`), channel);
    if (this.channels.size === 1) this.#settle?.reject(error);
    this.#without(channel);
    this.delivery.error(error);
  }

  #without(channel: string): void {
    if (!this.channels.delete(channel)) return;
    this.#later.delete(channel);
    this.#pending.delete(channel);
    this.#catchUp();
  }

  /** Every cursor is void. */
  forget(): void {
    this.#position = '';
    this.#waiting = [];
  }

  close(): void {
    this.delivery.close();
    this.#settle?.reject(new TidingsError(failure('gone', 'closed', 'the subscription was closed')));
  }
}
