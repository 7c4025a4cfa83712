import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import { environment, type Fetched, type FetchOptions } from '../../src/environment.ts';
import { failureOf } from '../../src/refusal.ts';
import { query, Requests } from '../../src/requests.ts';
import { Clock, settle } from '../support/clock.ts';

function answer(status: number, body: unknown, headers: Record<string, string> = {}): Fetched {
  return new Response(status === 204 ? null : JSON.stringify(body), { status, headers });
}

test('a refusal is read as a failure, with what it calls for', async () => {
  const kinds = {
    401: 'auth',
    403: 'forbidden',
    404: 'blocked',
    408: 'busy',
    414: 'long',
    426: 'blocked',
    429: 'busy',
  } as const;
  for (const [status, kind] of Object.entries({ ...kinds, 500: 'network', 502: 'network', 503: 'busy', 204: 'gone' })) {
    expect(await failureOf(answer(Number(status), {}))).toMatchObject({ kind, status: Number(status) });
  }
  const problem = { code: 'forbidden_channel', detail: 'no', at: 'a', current: { id: 1 } };
  expect(await failureOf(answer(403, problem))).toEqual({ kind: 'forbidden', status: 403, ...problem });
  expect(await failureOf(answer(429, {}, { 'retry-after': '7' }))).toMatchObject({ after: 7000 });
  expect(await failureOf(new Response('<html>', { status: 502 }))).toMatchObject({
    code: 'status_502',
    detail: 'the server answered 502',
  });
});

test('a target stays under 8 KiB; what it does not hold is left out', () => {
  const channels = Array.from({ length: 1000 }, (_, n) => `channel:${n}/with@~`);
  const target = query('/v1/events', { channels, since: 'now', types: ['t'], categories: [] }, {});
  expect(target.length).toBeLessThan(8192);
  expect(target.length).toBeGreaterThan(7000);
  expect(target).toMatch(
    /^\/v1\/events\?heartbeat=event&since=now&type=t&channel=channel:0\/with@~&channel=channel:1\//,
  );
});

test('a request that is not answered in time is given up, and its timer with it', async () => {
  const clock = new Clock();
  const asked: FetchOptions[] = [];
  const hang = (_: string, options: FetchOptions) =>
    new Promise<Fetched>((_resolve, reject) => {
      asked.push(options);
      options.signal?.addEventListener('abort', () => reject(new Error('aborted')));
    });
  const parts = environment({ after: clock.after, now: () => clock.now, fetch: hang });
  const requests = new Requests('http://server.test', { auth: 'key', openTimeout: 500 }, parts);
  const failed = requests.ticket(['a']).then(
    () => null,
    (error) => error.code,
  );
  await settle();
  expect(asked[0]).toMatchObject({ method: 'POST', headers: { authorization: 'Bearer key' }, cache: 'no-store' });
  await clock.pass(500);
  expect(await failed).toBe('network');
  expect(clock.pending).toBe(0);
});

test('what an application asks for is given up where the body does not come in time', async () => {
  const clock = new Clock();
  let signal: AbortSignal | undefined;
  const half = async (_: string, options: FetchOptions) => {
    signal = options.signal;
    return new Response(new ReadableStream({ start: (body) => body.enqueue(new TextEncoder().encode('{"a":')) }));
  };
  const parts = environment({ after: clock.after, now: () => clock.now, fetch: half });
  const requests = new Requests('http://server.test', { openTimeout: 500 }, parts);
  const answer = await requests.fetch('/api/casts/a');
  expect([answer.status, clock.pending]).toEqual([200, 0]);
  const read = answer.json().then(
    () => null,
    (error) => error.code,
  );
  await clock.pass(500);
  expect(await read).toBe('timeout');
  expect([signal?.aborted, clock.pending]).toEqual([true, 0]);
});

test('of several requests that are refused at once the first asks for a fresh credential, and all are sent again', async () => {
  const sent: (string | undefined)[] = [];
  const asked: boolean[] = [];
  const parts = environment({
    fetch: async (_, { headers }) => {
      sent.push(headers?.['authorization']);
      return answer(headers?.['authorization'] === 'Bearer new' ? 200 : 401, {});
    },
  });
  const auth = ({ fresh }: { fresh: boolean }) => {
    asked.push(fresh);
    return fresh ? 'new' : 'old';
  };
  const requests = new Requests('http://server.test', { auth }, parts);
  const answers = await Promise.all([1, 2, 3].map(() => requests.fetch('/x')));
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(asked).toEqual([false, true]);
  expect(sent).toHaveLength(6);
  // A text is what it is.
  const fixed = new Requests('http://server.test', { auth: 'old' }, parts);
  expect((await fixed.fetch('/x')).status).toBe(401);
  expect(sent).toHaveLength(7);
});

test('a credential is asked for once, again when it is to be fresh, and again when it could not be had', async () => {
  const asked: boolean[] = [];
  const tokens = ['one', 'two', '', 'three'];
  const sent: (string | undefined)[] = [];
  const parts = environment({
    fetch: async (_, { headers }) => {
      sent.push(headers?.['authorization']);
      return answer(200, {});
    },
  });
  const auth = ({ fresh }: { fresh: boolean }) => {
    asked.push(fresh);
    return tokens.shift() ?? '';
  };
  const requests = new Requests('http://server.test', { auth }, parts);
  await Promise.all([requests.send('/a'), requests.send('/b')]);
  await requests.refresh();
  await requests.send('/c');
  await expect(requests.refresh()).rejects.toMatchObject({ code: 'unauthenticated' });
  await requests.send('/d');
  expect(sent).toEqual(['Bearer one', 'Bearer one', 'Bearer two', 'Bearer three']);
  expect(asked).toEqual([false, true, true, false]);
});

test("an application's signal is listened to until the answer has been read, or does not come", async () => {
  const replies = [answer(200, {}), new Error('broken')];
  const parts = environment({
    fetch: async () => {
      const reply = replies.shift();
      if (reply instanceof Error || reply === undefined) throw reply;
      return reply;
    },
  });
  const requests = new Requests('http://server.test', {}, parts);
  const { signal } = new AbortController();
  const response = await requests.fetch('/x', { signal });
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  await response.json();
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  await expect(requests.fetch('/x', { signal })).rejects.toMatchObject({ code: 'network' });
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
});

test('`Retry-After` may be a date that lies ahead', async () => {
  const after = async (text: string) => {
    const response = new Response('', { status: 503, headers: { 'retry-after': text } });
    return (await failureOf(response)).after;
  };
  const ahead = await after(new Date(Date.now() + 20_000).toUTCString());
  expect(ahead).toBeGreaterThan(15_000);
  expect(ahead).toBeLessThanOrEqual(20_000);
  expect(await after(new Date(Date.now() - 20_000).toUTCString())).toBeUndefined();
});
