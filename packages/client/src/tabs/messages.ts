// What tabs say to each other; TABS.md says when.

import type { Since } from '../cursor.ts';
import type { Gap } from '../delivery.ts';
import type { Told } from '../status.ts';
import type { Cursor, Event } from '../wire/generated.ts';

/** One subscription of a tab. */
export interface Wanted {
  readonly n: number;
  readonly channels: readonly string[];
  readonly types: readonly string[] | undefined;
  readonly categories: readonly string[] | undefined;
  readonly since: Since;
}

/** What came for subscriptions of a tab, or the leader's status. */
export type Item =
  | { readonly event: Event; readonly to: readonly number[] }
  | { readonly ready: number; readonly position: Cursor }
  | { readonly gap: Gap; readonly to: number }
  | { readonly status: Told }
  | { readonly refused: string; readonly code: string; readonly to: number };

/** To all tabs. */
export type Call =
  | { readonly type: 'lead'; readonly term: number }
  | { readonly type: 'here'; readonly term: number; readonly tab: string };

/** From the leader to one tab. */
export type Down = { readonly term: number } & (
  | { readonly type: 'ask' }
  | { readonly type: 'full' }
  | { readonly type: 'pong'; readonly greeting: number; readonly count: number }
  | News
);

export interface News {
  readonly type: 'news';
  readonly greeting: number;
  readonly count: number;
  readonly items: readonly Item[];
  /** Up to here every subscription that is ready has been given everything; `null`: it is not known. */
  readonly cursor: Cursor | null;
}

/** From a tab to the leader. */
export type Up =
  | {
      readonly type: 'hello';
      readonly greeting: number;
      readonly wanted: readonly Wanted[];
      readonly isHidden: boolean;
    }
  | { readonly type: 'follow'; readonly wanted: readonly Wanted[]; readonly gone: readonly number[] }
  | { readonly type: 'sight'; readonly isHidden: boolean }
  | { readonly type: 'done'; readonly items: number }
  | { readonly type: 'reconnect' | 'ping' | 'bye' };

/** What a tab says, to which leader, in which session, and how much it has said before. */
export type Said = Up & { readonly term: number; readonly greeting: number; readonly count: number };
