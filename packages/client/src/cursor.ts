// Cursors are compared, never built: the first 13 characters alone order a tenant's events.

import type { Cursor } from './wire/generated.ts';

/** Where reading begins: with the oldest retained event, with what comes from now on, or after a cursor. */
export type Since = 'start' | 'now' | Cursor;

const LENGTH = 13;

/** What orders an id among the tenant's ids. */
export function orderOf(cursor: Cursor): string {
  return cursor.slice(0, LENGTH);
}

/** Whether a text looks like a cursor. */
export function isCursor(text: string): text is Cursor {
  return /^[0-9A-V]{13}\.[0-9A-V]{7}$/.test(text);
}

/** The earlier of two beginnings. */
export function earlier(a: Since, b: Since): Since {
  if (a === 'now' || b === 'start') return b;
  if (b === 'now' || a === 'start') return a;
  return orderOf(b) < orderOf(a) ? b : a;
}

/** Whether a beginning lies ahead of a position of the same history. */
export function isAhead(since: Since, position: Cursor): boolean {
  return position.slice(LENGTH) === since.slice(LENGTH) && position < since;
}
