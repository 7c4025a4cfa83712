// Subscriptions of one channel that begin in different places, all at once or while the stream lags behind.

import { beforeAll, describe, expect, test } from 'vitest';
import { createClient } from '../../src/index.ts';
import { FakeServer, idOf } from '../model/fake-server.ts';
import { Clock, settle } from '../support/clock.ts';
import { Collector } from '../support/collector.ts';

// What is loaded when it is first needed takes real time.
beforeAll(async () => {
  await Promise.all([import('../../src/driver.ts'), import('../../src/requests.ts')]);
});

function setUp() {
  const [server, clock] = [new FakeServer(), new Clock()];
  const client = createClient({
    url: 'http://server.test',
    transports: [server.transport],
    environment: {
      now: () => clock.now,
      after: clock.after,
      watch: () => () => {},
      fetch: (() => Promise.reject(new Error('not here'))) as never,
    },
  });
  const follow = (channels: string | string[], since: string) => {
    const seen = new Collector();
    client.subscribe({ channels, since }, seen);
    return seen;
  };
  const read = (frames = 1000) => {
    for (const session of server.open) {
      session.read();
      for (let left = frames; left > 0; left -= 1) session.out.shift()?.();
    }
  };
  const flow = async () => {
    for (let turn = 0; turn < 6; turn += 1) {
      await settle();
      for (const answer of server.answers.splice(0)) answer(false);
      read();
    }
    await settle();
  };
  return { server, client, follow, read, flow };
}

describe('beginnings', () => {
  test('of several within one task the earliest counts', async () => {
    const { server, client, follow, flow } = setUp();
    const ids = Array.from({ length: 6 }, () => server.publish('a', []).id);
    const [late, early, start] = [follow('a', idOf(4)), follow('a', idOf(2)), follow('a', 'start')];
    await flow();
    expect([late.ids, early.ids, start.ids]).toEqual([ids.slice(4), ids.slice(2), ids]);
    client.close();
  });

  test('one that the stream has not come to yet takes nothing from one that begins where it is', async () => {
    const { server, client, follow, read, flow } = setUp();
    follow('x', 'now');
    await flow();
    follow('y', 'now');
    await settle();
    // A change is under way, and what is published has not come here.
    const [now, ahead] = [follow('a', 'now'), follow('a', idOf(3))];
    const ids = Array.from({ length: 5 }, () => server.publish('a', []).id);
    await settle();
    for (const answer of server.answers.splice(0)) answer(false);
    await settle();
    read();
    await flow();
    expect(ahead.ids).toEqual(ids.slice(3));
    // From somewhere on, without a hole.
    expect(now.ids).toEqual(ids.slice(ids.length - now.ids.length));
    expect(now.ids.length).toBe(5);
    client.close();
  });
});
