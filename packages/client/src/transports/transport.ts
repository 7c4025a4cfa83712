// What a transport is: it opens streams, changes them and says what comes. It decides nothing.

import type { Since } from '../cursor.ts';
import type { Environment } from '../environment.ts';
import type { Failure } from '../failure.ts';
import type { Requests } from '../requests.ts';
import type { Addition, Changed, Cursor, Event } from '../wire/generated.ts';

/** A stream to be opened. */
export interface Ask {
  readonly channels: readonly string[];
  /** Everything that is followed: what a ticket must name. */
  readonly all: readonly string[];
  readonly since: Since;
  readonly types: readonly string[];
  readonly categories: readonly string[];
  /** The heartbeat's interval in milliseconds, for a transport that asks again and again. */
  readonly heartbeat: number;
}

/** What came: an event or control, or a position alone. `size` in characters, about. */
export interface Incoming {
  readonly id?: Cursor;
  readonly event?: string;
  readonly data?: unknown;
  readonly size?: number;
}

/** What a transport works with. */
export interface Host {
  readonly environment: Environment;
  readonly requests: Requests;
  /** Takes what comes, in order. */
  take(incoming: Incoming): void;
  /** The stream is over, or was never opened; said once. */
  closed(failure: Failure): void;
}

/** An open stream, or one that is being opened. */
export interface Connection {
  /** Adds and removes channels; rejects with a `TidingsError`. */
  change(add: readonly Addition[], remove: readonly string[]): Promise<Changed>;
  /** Presents the credential anew; rejects with a `TidingsError`. */
  renew(): Promise<unknown>;
  /** Closes it, without a word. */
  close(): void;
}

/** A way for events to come. */
export interface Transport {
  readonly name: string;
  /** Whether the runtime has what it needs. */
  isSupported(environment: Environment): boolean;
  open(ask: Ask, host: Host): Connection;
}

/** A page of events as frames. */
export function frameOf(event: Event, isLive: boolean): Incoming {
  return { ...(isLive && { id: event.id }), event: event.type, data: event, size: 256 };
}
