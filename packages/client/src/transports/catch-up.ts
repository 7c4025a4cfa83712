// What channels missed, read in pages: for transports whose streams cannot give it.

import { orderOf, type Since } from '../cursor.ts';
import { failure, TidingsError } from '../failure.ts';
import type { Requests } from '../requests.ts';
import type { Cursor, Page, Reset } from '../wire/generated.ts';
import { frameOf, type Host } from './transport.ts';

/** What is read of, beside the place. */
export interface Selected {
  readonly channels: readonly string[];
  readonly types: readonly string[];
  readonly categories: readonly string[];
}

/** Reads one page after a place; waits so many seconds for something. */
export async function readPage(
  requests: Requests,
  { channels, types, categories }: Selected,
  after: Since,
  wait: number,
  signal: AbortSignal,
  timeLimit?: number,
): Promise<Page> {
  const place = after === 'now' ? {} : { after };
  const body = { channel: channels, type: types, category: categories, wait, ...place };
  const page = await requests.json<Page | undefined>('/v1/poll', body, { signal }, timeLimit);
  if (page === undefined) throw new TidingsError(failure('gone', 'status_204', 'there is nothing here any more'));
  return page;
}

/** Tells a gap; a history that the server does not know is told with where it goes on, where that is the stream's place. */
export function tellReset(host: Host, reset: Reset, id?: Cursor): void {
  host.take({ ...(id !== undefined && { id }), event: '$reset', data: reset });
}

/**
 * Tells what channels missed between a place and the stream's position: `$subscribed`, their events without ids,
 * `$joined`.
 */
export async function catchUp(
  host: Host,
  selected: Selected,
  since: Since,
  position: Cursor,
  signal: AbortSignal,
): Promise<void> {
  const { channels } = selected;
  host.take({ event: '$subscribed', data: { channels, from: since } });
  const until = orderOf(position);
  // Without a beginning nothing was missed; it is asked all the same, since the answer says whether it may be followed.
  let after: Since = since === 'now' ? position : since;
  for (let isDone = false; !isDone; ) {
    const page: Page = await readPage(host.requests, selected, after, 0, signal);
    if (signal.aborted) return;
    for (const reset of page.resets) tellReset(host, reset);
    for (const event of page.events) if (orderOf(event.id) <= until) host.take(frameOf(event, false));
    after = page.cursor;
    // A history that is not known is not caught up with: the gap says so, and what follows is live.
    isDone = !page.more || orderOf(after) >= until;
  }
  host.take({ id: position, event: '$joined', data: { channels } });
}
