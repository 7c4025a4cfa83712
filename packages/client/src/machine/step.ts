// What goes into the machine and what comes out.

import type { Since } from '../cursor.ts';
import type { Failure } from '../failure.ts';
import type { Addition, Cursor, Event, Refusal, Reset } from '../wire/generated.ts';
import type { State, Timer } from './state.ts';

/** What happened, and when. */
export type Input = Happening & {
  /** Milliseconds of a clock that never goes back. */
  readonly now: number;
  /** A number drawn from [0, 1). */
  readonly draw: number;
};

export type Happening =
  | Want
  | { readonly type: 'ready'; readonly id: Cursor; readonly resumed: boolean; readonly channels: readonly string[] }
  | { readonly type: 'event'; readonly id?: Cursor; readonly event: Event; readonly size: number }
  | { readonly type: 'ping'; readonly id?: Cursor }
  /** Any other sign of life, perhaps with a position. */
  | { readonly type: 'sign'; readonly id?: Cursor }
  | { readonly type: 'subscribed'; readonly channels: readonly string[] }
  | { readonly type: 'joined'; readonly id?: Cursor; readonly channels: readonly string[] }
  | { readonly type: 'reset'; readonly id?: Cursor; readonly reset: Reset }
  /** The credential ends in so many milliseconds, as far as this machine's time of day is right. */
  | { readonly type: 'expiring'; readonly left: number }
  | { readonly type: 'end'; readonly id?: Cursor; readonly failure: Failure }
  /** The stream is over, or was never opened. */
  | { readonly type: 'closed'; readonly failure: Failure }
  /** A change was answered. */
  | { readonly type: 'changed'; readonly refused: readonly Refusal[] }
  /** A change failed; whether it was made is open. */
  | { readonly type: 'unchanged'; readonly failure: Failure }
  /** A fresh credential was presented. */
  | { readonly type: 'renewed'; readonly failure: Failure | null }
  | { readonly type: 'probed'; readonly transport: number; readonly works: boolean }
  | { readonly type: 'timer'; readonly timer: Timer }
  | { readonly type: 'online' | 'offline' | 'visible' | 'hidden' | 'frozen' | 'reconnect' | 'close' };

/** What is to be followed has changed. */
export interface Want {
  readonly type: 'want';
  readonly add: readonly { readonly channel: string; readonly since: Since }[];
  readonly remove: readonly string[];
  /** Open anew: from here on, or, where it is `null`, from where the stream is. */
  readonly again?: Since | null;
}

export type Effect =
  | {
      readonly type: 'open';
      readonly transport: number;
      /** What the stream begins with. */
      readonly channels: readonly string[];
      /** Everything that is followed: what a ticket must name. */
      readonly all: readonly string[];
      readonly since: Since;
      /** Get a fresh credential first. */
      readonly fresh: boolean;
    }
  | { readonly type: 'stop' }
  | { readonly type: 'change'; readonly add: readonly Addition[]; readonly remove: readonly string[] }
  | { readonly type: 'renew' }
  | { readonly type: 'probe'; readonly transport: number }
  /** For those who follow: an event; without `isLive` it is one that an added channel missed. */
  | { readonly type: 'event'; readonly event: Event; readonly isLive: boolean; readonly size: number }
  /** A stream runs from here; the other channels are about to be added. */
  | { readonly type: 'opened'; readonly channels: readonly string[]; readonly position: Cursor }
  | { readonly type: 'subscribed'; readonly channels: readonly string[] }
  | { readonly type: 'joined'; readonly channels: readonly string[]; readonly position: Cursor }
  /** Those who were before `through` have lost something; the stream was at `position`. */
  | { readonly type: 'gap'; readonly reset: Reset; readonly position: Cursor | null }
  | { readonly type: 'refuse'; readonly channel: string; readonly code: string }
  /** Every cursor is void. */
  | { readonly type: 'forget' };

export interface Step {
  readonly state: State;
  readonly effects: readonly Effect[];
}
