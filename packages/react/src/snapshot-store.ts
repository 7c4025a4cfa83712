// A record and the events after it, folded into it.

import type { Event, Fetched, Subscribe, Subscription } from '@tidings/client';
import { type ChannelHandlers, NOT_SUBSCRIBED, type SubscriptionState, SubscriptionStore } from './channel-store.ts';
import { call } from './frame.ts';
import type { Hub } from './hub.ts';

/** Where a record is: a path of the server, or a function that fetches it. */
export type SnapshotFrom = string | ((signal: AbortSignal) => Promise<Fetched>);

/** The record with an event. Answers a new value; the same one where the event changes nothing. */
export type Apply = (value: unknown, event: Event) => unknown;

export interface SnapshotHandlers extends ChannelHandlers {
  readonly source: SnapshotFrom | null;
  readonly apply: Apply;
}

export interface SnapshotState extends SubscriptionState {
  readonly data: unknown;
}

export const NO_RECORD: SnapshotState = { ...NOT_SUBSCRIBED, data: undefined };

export class SnapshotStore extends SubscriptionStore<SnapshotState, SnapshotHandlers> {
  /** Of those that share this, whose `apply` counts: they have the same one. */
  #lead: { readonly handlers: SnapshotHandlers } | undefined;

  constructor(hub: Hub, key: string, what: Subscribe) {
    super(hub, key, NO_RECORD, what);
  }

  get #handlers(): SnapshotHandlers | undefined {
    // While nobody is there the last one's goes on.
    this.#lead = this.listeners()[0] ?? this.#lead;
    return this.#lead?.handlers;
  }

  protected override get isRead(): boolean {
    return true;
  }

  protected subscribe(): Subscription {
    const source = this.#handlers?.source;
    const read = (signal: AbortSignal): Promise<Fetched> => {
      const { source } = this.#handlers ?? {};
      return typeof source === 'function' ? source(signal) : Promise.reject(new TypeError('tidings: no source'));
    };
    const put = this.putter();
    return this.hub.client.snapshot(typeof source === 'string' ? source : read, this.what, {
      onSnapshot: (data) => put(() => this.#replace(data)),
      onEvent: (event) => put(() => this.#take(event)),
      onGap: (gap) => put(() => this.gap(gap)),
      onError: (error) => put(() => this.failed(error)),
    });
  }

  #replace(data: unknown): void {
    this.recovered();
    this.update({ data });
  }

  #take(event: Event): void {
    this.heard(event);
    call(() => this.update({ data: this.#handlers?.apply(this.state.data, event) }));
    this.each(({ onEvent }) => call(onEvent, event));
  }
}
