// The tables of `conformance/tables`, against what this client makes of each row; and that every row of the protocol's own
// tables has a case.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isCursor, orderOf } from '../../src/cursor.ts';
import type { Environment } from '../../src/environment.ts';
import { TidingsError } from '../../src/failure.ts';
import { delay } from '../../src/machine/moves.ts';
import { initialState } from '../../src/machine/state.ts';
import { covers, isPattern } from '../../src/pattern.ts';
import { Requests } from '../../src/requests.ts';
import { sse } from '../../src/transports/sse.ts';
import type { Ask, Incoming } from '../../src/transports/transport.ts';
import type { Cursor } from '../../src/wire/generated.ts';
import { allCases, type Json, type Members, table } from './cases.ts';

describe('patterns', () => {
  const { valid, invalid, rows } = table('patterns');
  test.each(valid as string[])('%j is one', (text) => expect(isPattern(text)).toBe(true));
  test.each(invalid as string[])('%j is none', (text) => expect(isPattern(text)).toBe(false));
  test.each(rows)('$pattern and $channel: $matches', ({ pattern, channel, matches }) => {
    expect(covers(String(pattern), String(channel))).toBe(matches);
  });
});

describe('cursors', () => {
  const { invalid, rows } = table('cursors');
  const cursors = rows.map(({ cursor }) => String(cursor) as Cursor);
  test.each(invalid as string[])('%j is none', (text) => expect(isCursor(text)).toBe(false));
  test.each(cursors)('%s is one', (text) => expect(isCursor(text)).toBe(true));
  test('their order is that of the rows', () => {
    const orders = cursors.map(orderOf);
    expect([...orders].sort()).toEqual(orders);
    expect(new Set(orders).size).toBe(orders.length);
  });
});

/** What a stream of these bytes says, in pieces of this size. */
async function read(bytes: Uint8Array, size: number): Promise<Incoming[]> {
  const body = new ReadableStream<Uint8Array>({
    start(control) {
      for (let at = 0; at < bytes.length; at += size) control.enqueue(bytes.slice(at, at + size));
      control.close();
    },
  });
  const headers = new Headers({ 'content-type': 'text/event-stream' });
  const fetch = async () => ({ ok: true, status: 200, headers, body, json: async () => null, text: async () => '' });
  const environment = { fetch, after: () => () => {} } as unknown as Environment;
  const ask: Ask = { channels: [], all: [], since: 'now', types: [], categories: [], heartbeat: 1000 };
  const blocks: Incoming[] = [];
  await new Promise<void>((resolve) => {
    const requests = new Requests('http://server.test', {}, environment);
    sse.open(ask, { environment, requests, take: (incoming) => blocks.push(incoming), closed: () => resolve() });
  });
  return blocks;
}

describe('event streams', () => {
  test.each(table('event-streams').rows)('$name', async ({ stream, blocks }) => {
    const bytes = new TextEncoder().encode(String(stream));
    for (const size of [bytes.length, 1, 2, 3, 7]) {
      const found = (await read(bytes, size)).map(({ size: _, ...block }) => block);
      expect(found, `in pieces of ${size}`).toEqual(blocks);
    }
  });
});

describe('Retry-After', () => {
  for (const { value, seconds } of table('retry-after').rows) {
    const text = String(value);
    test(text, async () => {
      const fetch = async () => new Response('', { status: 503, headers: { 'retry-after': text } });
      const environment = { fetch, after: () => () => {} } as unknown as Environment;
      const error = await new Requests('http://server.test', {}, environment).json('/v1/poll').catch((error) => error);
      expect(error).toBeInstanceOf(TidingsError);
      const { after } = (error as TidingsError).failure;
      expect(after ?? null).toBe(seconds === null ? null : Number(seconds) * 1000);
    });
  }
});

describe('backoff', () => {
  test.each(table('backoff').rows)('attempt $attempt of $initial to $max', ({ attempt, initial, max, limit }) => {
    const times = { heartbeat: 1, watchdog: null, openTimeout: 1, restoreAfter: 1, suspendAfter: 1, linger: 1 };
    const config = { transports: 1, initial, max, attempts: 1, canRenew: false, ...times } as never;
    const state = { ...initialState(config), attempt: Number(attempt) - 1 };
    const drawn = (draw: number) => delay({ state, effects: [], input: { type: 'reconnect', now: 0, draw } }, {});
    expect([drawn(0), drawn(0.5), drawn(1)]).toEqual([0, Number(limit) / 2, limit]);
  });
});

/** Every `$end` in the cases that clients play, and every code that they are refused with. */
function wordsOf(json: Json, name: string, words = new Set<string>()): Set<string> {
  if (Array.isArray(json)) for (const one of json) wordsOf(one, name, words);
  else if (json !== null && typeof json === 'object') {
    for (const [member, one] of Object.entries(json as Members)) {
      if (member === name && typeof one === 'string') words.add(one);
      wordsOf(one, name, words);
    }
  }
  return words;
}

describe('the tables of the protocol', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../../PROTOCOL.md'), 'utf8');
  const steps = allCases().flatMap((one) => one.steps) as Json[];
  const codes = [...page.matchAll(/^\| `(\w+)` \| (\d{3}) \|/gm)].map(([, code, status]) => ({
    code,
    status: Number(status),
  }));
  const ends = [...page.matchAll(/^\| `(\w+)` \| (now|later|auth|never|–) \|/gm)].map(([, reason, retry]) => ({
    reason,
    retry: retry === '–' ? null : retry,
  }));

  test('each code has its row, and no other', () => {
    expect(codes.length).toBeGreaterThan(30);
    expect(table('errors').rows.map(({ code, status }) => ({ code, status }))).toEqual(codes);
  });
  test('each end has its row, and no other', () => {
    expect(ends.length).toBeGreaterThan(10);
    expect(table('ends').rows).toEqual(ends);
  });
  test('each end that a client can be told has a case, the others have none', () => {
    const said = wordsOf(steps, 'reason');
    for (const { reason, retry } of ends) expect(said.has(String(reason)), reason).toBe(retry !== null);
  });
  test('each control has a case', () => {
    const said = wordsOf(steps, 'event');
    const named = [...page.matchAll(/^- `(\$\w+)/gm)].map(([, name]) => String(name));
    expect(named.length).toBeGreaterThan(6);
    for (const name of named) expect(said, name).toContain(name);
  });
});
