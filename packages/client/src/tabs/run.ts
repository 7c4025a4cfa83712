// The time for which a tab takes part: from the first subscription, or from when the page is back, until it is put away.

import type { Broadcast, Locks } from '../environment.ts';

/** What of the browser tabs share. */
export interface Shared {
  readonly base: string;
  readonly locks: Locks;
  open(name: string): Broadcast;
}

/** The time for which this tab takes part. */
export interface Run {
  readonly tab: string;
  readonly call: Broadcast;
  readonly pair: Broadcast;
  /** Gives up what is waited for. */
  readonly end: AbortController;
  /** For as long as this is pending locks are held. */
  readonly over: Promise<void>;
  finish(): void;
  candidacy: AbortController;
  cancel(): void;
}

/** The channel between a tab and its leader, and the lock that the tab holds for as long as it is there. */
export function pairOf({ base }: Shared, tab: string): string {
  return `${base}:${tab}`;
}

/** Begins to take part, under a name that no tab has had. */
export function begin(shared: Shared): Run {
  const tab = crypto.randomUUID();
  let finish = () => {};
  const over = new Promise<void>((resolve) => {
    finish = resolve;
  });
  const [call, pair] = [shared.open(shared.base), shared.open(pairOf(shared, tab))];
  const [end, candidacy] = [new AbortController(), new AbortController()];
  return { tab, call, pair, end, candidacy, over, finish, cancel: () => {} };
}
