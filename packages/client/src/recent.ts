// The last events that this client was given, in order.
//
// A stream does not give an event again that another of its channels has already brought. So whoever begins in the past
// of a stream that runs gets the rest of it from here.

import { orderOf } from './cursor.ts';
import type { Cursor, Event } from './wire/generated.ts';

/** Most characters of them. */
const SIZE = 1_048_576;

/** The recent events. */
export class Recent {
  #items: { readonly order: string; readonly event: Event; readonly size: number }[] = [];
  #size = 0;
  readonly #limit: number;
  /** After this every event that was given is here. */
  start = '';

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(event: Event, size: number): void {
    const order = orderOf(event.id);
    if (order <= this.start) return;
    let at = this.#items.length;
    while (at > 0 && (this.#items[at - 1]?.order ?? '') > order) at -= 1;
    if (this.#items[at - 1]?.order === order) return;
    this.#items.splice(at, 0, { order, event, size });
    this.#size += size;
    while (this.#items.length > this.#limit || this.#size > SIZE) {
      const first = this.#items.shift();
      if (first === undefined) return;
      this.#size -= first.size;
      this.start = first.order;
    }
  }

  /** The events after a place. */
  after(place: string): Event[] {
    return this.#items.filter(({ order }) => place < order).map(({ event }) => event);
  }

  /** What came later is given again. */
  truncate(position: Cursor): void {
    const until = orderOf(position);
    this.#items = this.#items.filter(({ order }) => order <= until);
    this.#size = this.#items.reduce((sum, { size }) => sum + size, 0);
  }

  clear(): void {
    this.#items = [];
    this.#size = 0;
    this.start = '';
  }
}
