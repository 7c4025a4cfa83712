// Channels that are followed, and what came last.

import { type Event, type Gap, type Subscribe, type Subscription, TidingsError } from '@tidings/client';
import { call } from './frame.ts';
import type { Hub } from './hub.ts';
import { isFinal } from './refusal.ts';
import { Store } from './store.ts';

/** What a hook on channels calls; each time what was given with the latest render. */
export interface ChannelHandlers<Data = unknown> {
  /** An event; in the log's order, each once. */
  readonly onEvent?: ((event: Event<Data>) => void) | undefined;
  /** Events were lost: what is known of these channels may be old. */
  readonly onGap?: ((gap: Gap) => void) | undefined;
  /** A channel or the record is refused, or the record could not be read for now. */
  readonly onError?: ((error: Error) => void) | undefined;
  /** Whether events come has changed. It begins with `false`, which is not told. */
  readonly onConnectionChange?: ((isConnected: boolean) => void) | undefined;
}

/** What is known of anything that is subscribed. */
export interface SubscriptionState {
  /** Whether the connection is up and events of all channels come. */
  readonly isConnected: boolean;
  /** Whether the channels have been joined. */
  readonly isReady: boolean;
  /** Why it is not connected, or which channel is refused. */
  readonly error: Error | null;
}

/** What is known of channels. */
export interface ChannelState extends SubscriptionState {
  /** The latest event. */
  readonly lastEvent: Event | null;
}

export const NOT_SUBSCRIBED: SubscriptionState = { isConnected: false, isReady: false, error: null };
export const NO_EVENTS: ChannelState = { ...NOT_SUBSCRIBED, lastEvent: null };

/** What {@link ChannelStore} and the store of snapshots have in common: a subscription and its state. */
export abstract class SubscriptionStore<
  State extends SubscriptionState,
  Handlers extends ChannelHandlers,
> extends Store<State, Handlers> {
  #subscription: Subscription | undefined;
  /** Counts the subscriptions, so that what belongs to an earlier one is left alone. */
  #run = 0;
  #isReady = false;
  #refusal: Error | null = null;
  /** Those of which nothing will come. */
  readonly #refused = new Set<string>();
  readonly #empty: State;
  protected readonly what: Subscribe;

  constructor(hub: Hub, key: string, state: State, what: Subscribe) {
    super(hub, key, state);
    this.#empty = state;
    this.what = what;
  }

  protected abstract subscribe(): Subscription;

  protected open(): void {
    const put = this.putter();
    try {
      this.#subscription = this.subscribe();
      this.#subscription.ready.then(
        () => put(() => this.ready()),
        (error) => put(() => this.refused(error)),
      );
    } catch (error) {
      // Not a channel's name: for whoever follows it, as if it were refused.
      put(() => this.failed(error as Error));
    }
  }

  protected close(): void {
    this.#run += 1;
    this.#subscription?.close();
    this.#subscription = undefined;
  }

  /** What puts into the queue what the present subscription tells; nothing counts once that was closed. */
  protected putter(): (task: () => void) => void {
    const run = this.#run;
    return (task) => this.hub.frames.put(() => run === this.#run && task());
  }

  protected ready(): void {
    this.#isReady = true;
    this.update({});
  }

  /** The subscription has ended for good. */
  protected refused(error: Error): void {
    this.#isReady = false;
    this.#refusal ??= error;
    this.update({});
  }

  /** Something is wrong with it; whether it goes on is not said. */
  protected failed(error: Error): void {
    this.#refusal = error;
    const { channel } = error as Partial<TidingsError>;
    if (isFinal(error)) this.#without(channel === undefined ? this.#channels : [channel]);
    this.update({});
    this.each(({ onError }) => call(onError, error));
  }

  get #channels(): string[] {
    return [this.what.channels].flat();
  }

  /** Nothing follows of these channels; of the others it does. What nobody may follow here is not held either. */
  #without(channels: readonly string[]): void {
    for (const channel of channels) this.#refused.add(channel);
    if (!this.#channels.every((channel) => this.#refused.has(channel))) return;
    this.#isReady = false;
    this.forget();
  }

  protected override forget(): void {
    // Who is told of the connection is told by the update that follows.
    this.state = { ...this.#empty, isConnected: this.state.isConnected };
    this.hub.frames.changed(this);
  }

  /** Something came of a channel: if it had been refused, it is no more. */
  protected heard({ channel }: Event): void {
    if (!this.#refused.delete(channel)) return;
    this.#isReady = true;
    this.recovered();
  }

  /** What was wrong is over. */
  protected recovered(): void {
    if (this.#refused.size === 0) this.#refusal = null;
  }

  protected gap(gap: Gap): void {
    if (gap.reason === 'unauthorized') {
      this.#without(gap.channels);
      this.#refusal = new TidingsError({ kind: 'forbidden', code: gap.reason, status: 403 }, gap.channels[0]);
      this.update({});
    }
    this.each(({ onGap }) => call(onGap, gap));
  }

  override onStatus(): void {
    super.onStatus();
    this.update({});
  }

  protected override restart(isAnew: boolean): void {
    if (isAnew) this.forget();
    if (this.#refusal !== null || (isAnew && this.isRead)) {
      this.close();
      this.#refusal = null;
      this.#refused.clear();
      this.#isReady = false;
      this.open();
    }
    this.update({});
  }

  /** Whether it is more than events, which go on where they were, and is read again for somebody else. */
  protected get isRead(): boolean {
    return false;
  }

  protected update(change: Partial<State>): void {
    const { status } = this.hub;
    const isReady = this.#isReady;
    const isConnected = isReady && this.#refusal === null && status.state === 'connected';
    const error = this.#refusal ?? (isConnected ? null : status.error);
    const next = { ...this.state, ...change, isReady, isConnected, error };
    const names = Object.keys(next) as (keyof State)[];
    if (names.some((name) => !Object.is(next[name], this.state[name]))) this.set(next);
  }
}

export class ChannelStore extends SubscriptionStore<ChannelState, ChannelHandlers> {
  constructor(hub: Hub, key: string, what: Subscribe) {
    super(hub, key, NO_EVENTS, what);
  }

  /** Whether it begins in the past. Only one hook follows that: another one would miss the beginning. */
  get #isPrivate(): boolean {
    return this.what.since !== undefined && this.what.since !== 'now';
  }

  protected subscribe(): Subscription {
    const { position } = this.listeners()[0] ?? {};
    // A hook that comes back goes on after what it was given.
    const since = this.#isPrivate && position?.key === this.key ? position.id : this.what.since;
    const put = this.putter();
    return this.hub.client.subscribe(since === undefined ? this.what : { ...this.what, since }, {
      onEvent: (event) => put(() => this.#take(event)),
      onGap: (gap) => put(() => this.gap(gap)),
      onError: (error) => put(() => this.failed(error)),
    });
  }

  #take(event: Event): void {
    if (this.#isPrivate) {
      // What nobody is there for must come again.
      if (this.isDeserted) {
        this.end();
        return;
      }
      for (const listener of this.listeners()) listener.position = { key: this.key, id: event.id };
    }
    this.heard(event);
    this.update({ lastEvent: event });
    this.each(({ onEvent }) => call(onEvent, event));
  }
}
