// What goes wrong between a publisher and the real server, and that nothing comes of it. Each test prints how often the
// fault struck while something was under way, and fails if it never did.

import { CutProxy, type Key, Server } from '@tidings/testkit';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createPublisher } from '../../src/index.ts';

let server: Server;
let key: Key;

beforeEach(async () => {
  server = await Server.start();
  key = await server.key();
});
afterEach(() => server?.stop());

const dataOf = async (channel: string) => (await server.history(key.key, channel)).map(({ data }) => data);

test('an answer that is cut after the commit makes no second event', async () => {
  const proxy = await CutProxy.start(server.port);
  const publisher = createPublisher({ url: proxy.url, apiKey: key.key, retry: { initial: 5 } });
  let duplicates = 0;
  for (let n = 0; n < 100; n += 1) {
    if (n % 2 === 0) proxy.cutAnswers(1 + (n % 3));
    const receipt = await publisher.publish({ channel: 'cut', type: 't', data: n });
    duplicates += Number(receipt.duplicate);
  }
  for (let n = 0; n < 20; n += 1) {
    proxy.cutAnswers(1);
    await publisher.tellCast('cast_cut', { type: 'PROGRESS_UPDATE', data: { progress: n }, userId: 'u' });
  }
  await proxy.stop();
  console.log(`cut after the commit: struck ${proxy.struck} times, ${duplicates} of 100 events were already stored`);
  expect(proxy.struck).toBeGreaterThan(100);
  expect(duplicates).toBe(50);
  expect(await dataOf('cut')).toEqual(Array.from({ length: 100 }, (_, n) => n));
  const progress = (await server.history(key.key, 'cast:cast_cut')).filter(({ type }) => type === 'PROGRESS_UPDATE');
  expect(progress.map(({ data }) => data.progress)).toEqual(Array.from({ length: 20 }, (_, n) => n));
});

test('10,000 events go through restarts and crashes in order, none lost and none twice', {
  timeout: 180_000,
}, async () => {
  let [underWay, accepted, struck] = [0, 0, 0];
  const counting: typeof fetch = async (input, init) => {
    underWay += 1;
    try {
      return await fetch(input, init);
    } finally {
      underWay -= 1;
    }
  };
  const failures: unknown[] = [];
  const publisher = createPublisher({
    url: server.url,
    apiKey: key.key,
    fetch: counting,
    queueLimit: 500,
    retry: { attempts: 100, initial: 20, max: 500 },
    onError: (error) => failures.push(error),
  });

  /** One event after the other, each awaited. */
  const awaited = async (channel: string) => {
    for (let n = 0; n < 1_000; n += 1) {
      await publisher.publish({ channel, type: 't', data: n });
      accepted += 1;
    }
  };
  /** As many at once as the queue takes. */
  const enqueued = async () => {
    for (let n = 0; n < 5_000; n += 1) {
      while (publisher.queued >= 500) await new Promise(setImmediate);
      expect(publisher.enqueue({ channel: `queued:${n % 7}`, type: 't', data: n })).toBe(true);
      // The rest of the time belongs to the others: all of it would be sent before the first restart.
      if (n % 10 === 9) await new Promise(setImmediate);
      accepted += 1;
    }
    expect(await publisher.flush({ timeout: 60_000 })).toBe(true);
  };
  let isRunning = true;
  const fault = async () => {
    for (let count = 0; isRunning && count < 12; count += 1) {
      const next = accepted + 500;
      while (isRunning && (accepted < next || underWay === 0)) await new Promise(setImmediate);
      if (!isRunning) return;
      struck += 1;
      if (count % 2 === 0) await server.crash();
      else await server.restart();
    }
  };

  const faults = fault();
  await Promise.all([...['a', 'b', 'c', 'd', 'e'].map((name) => awaited(`awaited:${name}`)), enqueued()]);
  isRunning = false;
  await faults;
  console.log(`restarts and crashes: struck ${struck} times with requests under way`);
  expect(struck).toBeGreaterThan(3);
  expect(failures).toEqual([]);
  const inOrder = (count: number) => Array.from({ length: count }, (_, n) => n);
  expect(await dataOf('queued:*')).toEqual(inOrder(5_000));
  for (const name of ['a', 'b', 'c', 'd', 'e']) expect(await dataOf(`awaited:${name}`)).toEqual(inOrder(1_000));
});

test('a server that is away is waited for, however often it is asked in vain', async () => {
  const failures: string[] = [];
  const waits: string[] = [];
  let attempts = 0;
  const publisher = createPublisher({
    url: server.url,
    apiKey: key.key,
    queueLimit: 100,
    retry: { initial: 1, max: 10 },
    fetch: (input, init) => {
      attempts += 1;
      return fetch(input, init);
    },
    onError: (error) => failures.push(error.code),
    onWaiting: (error) => waits.push(error.code),
  });
  await server.kill();
  for (let n = 0; n < 150; n += 1) publisher.enqueue({ channel: 'away', type: 't', data: n });
  console.log(
    `a server that is away: struck ${publisher.queued} events in the queue, ${failures.length} found no room`,
  );
  expect(publisher.queued).toBe(100);
  expect(failures).toEqual(Array(50).fill('queue_full'));
  while (attempts < 50) await new Promise(setImmediate);
  expect([waits, publisher.queued]).toEqual([['unreachable'], 100]);
  await server.crash();
  expect(await publisher.close()).toBe(true);
  expect(failures).toHaveLength(50);
  expect(await dataOf('away')).toEqual(Array.from({ length: 100 }, (_, n) => n));
});
