// Something that is followed outside of React, by any number of components at once.

import { call } from './frame.ts';
import type { Hub } from './hub.ts';

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
  /** The last event that it was given, and of what. */
  position: { readonly key: string; readonly id: string } | undefined;

  constructor(handlers: Handlers) {
    this.handlers = handlers;
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
  /** The connection's status has changed. */
  onStatus(): void {}
  /** Tries again where it had given up. */
  retry(): void {}

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

  protected listeners(): Listener<Handlers>[] {
    return [...this.#seats].filter(([, { notify }]) => notify !== undefined).map(([listener]) => listener);
  }

  /** Calls with the handlers of everybody who is there. */
  protected each(tell: (handlers: Handlers) => void): void {
    for (const [{ handlers }, { notify, isJoined }] of [...this.#seats]) if (notify && isJoined) tell(handlers);
  }

  /** Changes the state, within a task. */
  protected set(state: State): void {
    const [was, is] = [connectionOf(this.state), connectionOf(state)];
    this.state = state;
    this.hub.frames.changed(this);
    if (was === is) return;
    for (const [listener, { notify, isJoined }] of [...this.#seats]) if (notify && isJoined) listener.connection(is);
  }

  *notifiers(): Iterable<() => void> {
    for (const { notify } of this.#seats.values()) if (notify) yield notify;
  }
}
