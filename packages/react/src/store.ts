// Something that is followed outside of React, by any number of components at once.

import { call } from './frame.ts';
import type { Hub } from './hub.ts';
import { isSignedOut } from './refusal.ts';

/** How long something is followed on once nobody does: double mounts, hot reloads and navigation come back to it. */
export const LINGER = 1000;

let serials = 0;

function nextSerial(): number {
  serials += 1;
  return serials;
}

/** One hook of one component, as stores see it. It outlives the effects that React ends and begins again. */
export class Listener<Handlers> {
  /** The handlers of the latest render. */
  handlers: Handlers;
  /** What it was last told of the connection. */
  #isConnected = false;
  /** Told apart from every other by this. */
  readonly serial = nextSerial();
  /** The topic that the handlers were rendered for. */
  key: string | undefined;
  /** The last event that it was given, and of what. */
  position: { readonly key: string; readonly id: string } | undefined;

  constructor(handlers: Handlers) {
    this.handlers = handlers;
  }

  /** Whether its handlers were rendered for this topic. */
  isFor(key: string): boolean {
    return this.key === key;
  }

  /** Tells of the connection, if that has changed. */
  connection(isConnected: boolean): void {
    if (this.#isConnected === isConnected) return;
    this.#isConnected = isConnected;
    const { onConnectionChange } = this.handlers as { onConnectionChange?: (isConnected: boolean) => void };
    call(onConnectionChange, isConnected);
  }
}

interface Seat {
  /** What tells React; `undefined` once the hook has left. */
  notify: (() => void) | undefined;
  /** Whether it has been told of the state as it is; news come after that. */
  isJoined: boolean;
}

/** What a state says of the connection, if anything. */
const connectionOf = (state: object) => (state as { isConnected?: boolean }).isConnected ?? false;

/** What to follow: the same by its key is followed once. */
export interface Topic<State extends object, Handlers> {
  readonly key: string;
  /** Makes what follows it. */
  make(hub: Hub, key: string): Store<State, Handlers>;
}

export abstract class Store<State extends object, Handlers> {
  readonly #seats = new Map<Listener<Handlers>, Seat>();
  #present = 0;
  #isOpen = false;
  /** Whether nobody is signed in. */
  #isOut = false;
  #timer: ReturnType<typeof setTimeout> | undefined;
  protected readonly hub: Hub;
  protected readonly key: string;
  state: State;

  constructor(hub: Hub, key: string, state: State) {
    this.hub = hub;
    this.key = key;
    this.state = state;
  }

  /** Begins to follow. */
  protected abstract open(): void;
  /** Ends it for good. */
  protected abstract close(): void;
  /** Tells a newcomer of what is known already. */
  protected greet(_handlers: Handlers): void {}
  /** Drops what is known, within a task. */
  protected forget(): void {}
  /** Tries again where it had given up; with `isAnew` it begins as if nothing had been known. */
  protected restart(_isAnew: boolean): void {}

  /** The connection's status has changed. */
  onStatus(): void {
    const { state, error } = this.hub.status;
    const isOut = state === 'refused' && isSignedOut(error);
    const wasOut = this.#isOut;
    this.#isOut = isOut;
    // Whoever was signed in is not, and what was theirs is not shown to whoever comes next.
    if (isOut && !wasOut) this.forget();
    if (wasOut && !isOut) this.begin(true);
  }

  /** Begins again, perhaps as somebody else. */
  begin(isAnew: boolean): void {
    this.#isOut = false;
    // What nobody is there for lingers for those who come back, not for others.
    if (isAnew && this.isDeserted) this.end();
    else this.restart(isAnew);
  }

  attach(listener: Listener<Handlers>, notify: () => void): () => void {
    clearTimeout(this.#timer);
    let seat = this.#seats.get(listener);
    if (seat === undefined) {
      seat = { notify, isJoined: false };
      this.#seats.set(listener, seat);
      // It was rendered with the state as of the last frame: everything that waits is news to it.
      this.hub.frames.putFirst(() => this.#join(listener));
    }
    // A hook that left and is back within a frame goes on where it was: nothing is missed, nothing told again.
    seat.notify = notify;
    this.#present += 1;
    if (!this.#isOpen) {
      this.#isOpen = true;
      this.open();
    }
    return () => this.#leave(listener, seat);
  }

  #join(listener: Listener<Handlers>): void {
    const seat = this.#seats.get(listener);
    if (seat?.notify === undefined || seat.isJoined) return;
    seat.isJoined = true;
    if (!this.#isTold(listener, seat)) return;
    this.greet(listener.handlers);
    listener.connection(connectionOf(this.state));
  }

  #leave(listener: Listener<Handlers>, seat: Seat): void {
    seat.notify = undefined;
    this.#present -= 1;
    this.hub.frames.put(() => {
      if (seat.notify === undefined && this.#seats.get(listener) === seat) this.#seats.delete(listener);
    });
    if (this.#present === 0) this.#timer = setTimeout(() => this.end(), LINGER);
  }

  protected get isDeserted(): boolean {
    return this.#present === 0;
  }

  protected end(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    clearTimeout(this.#timer);
    this.hub.remove(this.key, this);
    this.close();
  }

  /** Between a render with another topic and its effects the handlers are those of the other one already. */
  #isHere(listener: Listener<Handlers>, { notify }: Seat): boolean {
    return notify !== undefined && listener.isFor(this.key);
  }

  #isTold(listener: Listener<Handlers>, seat: Seat): boolean {
    return seat.isJoined && this.#isHere(listener, seat);
  }

  protected listeners(): Listener<Handlers>[] {
    return [...this.#seats].filter(([listener, seat]) => this.#isHere(listener, seat)).map(([listener]) => listener);
  }

  /** Calls with the handlers of everybody who is there. */
  protected each(tell: (handlers: Handlers) => void): void {
    for (const [listener, seat] of [...this.#seats]) if (this.#isTold(listener, seat)) tell(listener.handlers);
  }

  /** Changes the state, within a task. */
  protected set(state: State): void {
    const [was, is] = [connectionOf(this.state), connectionOf(state)];
    this.state = state;
    this.hub.frames.changed(this);
    if (was === is) return;
    for (const [listener, seat] of [...this.#seats]) if (this.#isTold(listener, seat)) listener.connection(is);
  }

  *notifiers(): Iterable<() => void> {
    for (const { notify } of this.#seats.values()) if (notify) yield notify;
  }
}
