// Long polls: one request after the other, each waiting for what comes. Works wherever HTTP does.
//
// To the machine it looks like a stream. A poll knows no session, so that channels are added by reading what they missed
// while the polls stand still.

import type { Since } from '../cursor.ts';
import { asFailure, failure, TidingsError } from '../failure.ts';
import type { Addition, Changed, Cursor, ErrorCode, Page, Refusal } from '../wire/generated.ts';
import { catchUp, readPage, type Selected, tellReset } from './catch-up.ts';
import { type Ask, type Connection, frameOf, type Host, type Transport } from './transport.ts';

/** Longest wait in seconds that the server is asked for. */
const LONGEST_WAIT = 25;

class Polls implements Connection {
  readonly #host: Host;
  readonly #control = new AbortController();
  readonly #ask: Ask;
  #channels: Set<string>;
  #position: Cursor | undefined;
  /** Ends the poll that waits, so that the next one names other channels. */
  #poll = new AbortController();
  /** What is done while no poll waits. */
  #change: Promise<unknown> = Promise.resolve();

  constructor(ask: Ask, host: Host) {
    this.#host = host;
    this.#ask = ask;
    this.#channels = new Set(ask.channels);
    this.#run().catch((error) => {
      if (this.#control.signal.aborted) return;
      this.close();
      host.closed(asFailure(error));
    });
  }

  #selected(channels: Iterable<string>): Selected {
    const { types, categories } = this.#ask;
    return { channels: [...channels], types, categories };
  }

  async #run(): Promise<void> {
    const { since } = this.#ask;
    if (this.#channels.size === 0) throw new TidingsError(failure('forbidden', 'too_many_channels'));
    const page = await this.#read(since, 0, this.#control.signal);
    const isKnown = page.resets.every(({ reason }) => reason !== 'unknown');
    const isResumed = since !== 'now' && since !== 'start' && isKnown;
    // The place before the oldest event has no name. This one is replaced before anybody could send it.
    const start = `${'0'.repeat(13)}${page.cursor.slice(13)}` as Cursor;
    const id = isResumed ? since : since === 'start' ? start : page.cursor;
    const data = { session: '', resumed: isResumed, channels: [...this.#channels], head: page.cursor };
    this.#host.take({ id, event: '$ready', data });
    this.#tell(page);
    let isMore = page.more;
    for (;;) {
      // Another change may come while one is waited for.
      for (let change: unknown; change !== this.#change; await change) change = this.#change;
      if (this.#control.signal.aborted) return;
      this.#poll = new AbortController();
      const { signal } = this.#poll;
      try {
        const seconds = Math.max(1, Math.min(LONGEST_WAIT, Math.round(this.#ask.heartbeat / 1000)));
        const next = await this.#read(this.#position ?? 'now', isMore ? 0 : seconds, signal);
        if (this.#control.signal.aborted) return;
        if (signal.aborted) continue;
        isMore = next.more;
        this.#tell(next);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    }
  }

  /** Without channels there is nothing to ask for; a while passes. */
  async #read(after: Since, wait: number, signal: AbortSignal): Promise<Page> {
    const { requests, environment } = this.#host;
    if (this.#channels.size > 0) {
      return readPage(requests, this.#selected(this.#channels), after, wait, signal, wait * 1000 + 10_000);
    }
    await new Promise<void>((resolve) => {
      const cancel = environment.after(wait * 1000, resolve);
      signal.addEventListener('abort', () => {
        cancel();
        resolve();
      });
    });
    return { events: [], cursor: after as Cursor, more: false, resets: [] };
  }

  #tell(page: Page): void {
    for (const reset of page.resets) tellReset(this.#host, reset, reset.reason === 'unknown' ? page.cursor : undefined);
    for (const event of page.events) this.#host.take(frameOf(event, true));
    this.#arrive(page.cursor);
  }

  #arrive(position: Cursor): void {
    this.#position = position;
    this.#host.take({ id: position, event: '$ping', data: {} });
  }

  change(add: readonly Addition[], remove: readonly string[]): Promise<Changed> {
    const changed = this.#change.then(() => this.#carryOut(add, remove));
    // The polls go on whatever came of it.
    this.#change = changed.catch(() => {});
    this.#poll.abort();
    return changed;
  }

  async #carryOut(add: readonly Addition[], remove: readonly string[]): Promise<Changed> {
    for (const channel of remove) this.#channels.delete(channel);
    const groups = new Map<string, string[]>();
    for (const { channel, since = 'now' } of add) groups.set(since, [...(groups.get(since) ?? []), channel]);
    const added: string[] = [];
    const refused: Refusal[] = [];
    for (const [since, channels] of groups) {
      const left = new Set(channels);
      while (left.size > 0) {
        const why = await this.#join([...left], since as Since);
        if (why === null) break;
        left.delete(why.channel);
        refused.push(why);
      }
      added.push(...left);
    }
    return { added, refused };
  }

  /** Adds channels that begin at one place; answers the one that is refused, if one is. */
  async #join(channels: string[], since: Since): Promise<Refusal | null> {
    const position = this.#position;
    if (position === undefined) throw new TidingsError(failure('network', 'closed'));
    try {
      await catchUp(this.#host, this.#selected(channels), since, position, this.#control.signal);
      for (const channel of channels) this.#channels.add(channel);
      return null;
    } catch (error) {
      const { kind, at, code } = asFailure(error);
      if (kind !== 'forbidden' || at === undefined || !channels.includes(at)) throw error;
      return { channel: at, code: code as ErrorCode };
    }
  }

  /** Each request has the credential anew. */
  async renew(): Promise<void> {}

  close(): void {
    this.#control.abort();
    this.#poll.abort();
  }
}

/** Long polls. */
export const poll: Transport = {
  name: 'poll',
  isSupported: ({ fetch }) => fetch !== undefined,
  open: (ask, host) => new Polls(ask, host),
};
