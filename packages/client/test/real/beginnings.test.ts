// Beginnings in the past, of which retention has removed a part: from the oldest event of several channels at once, on a
// stream that is opened and on one that runs, and after a cursor that is too old.

import { Server } from '@tidings/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Cursor } from '../../src/index.ts';
import { Collector } from '../support/collector.ts';
import { clientOf, closeClients, IN_NODE } from '../support/matrix.ts';
import { FaultProxy } from '../support/proxy.ts';
import { publishNumbers } from '../support/publish.ts';

const RETAINED = 20;

let server: Server;
let key: string;
let proxy: FaultProxy;
beforeAll(async () => {
  server = await Server.start(`stream.heartbeat = "1s"\nlog.retention.events_per_channel = ${RETAINED}\n`);
  key = (await server.key()).key;
  proxy = await FaultProxy.start(server.port, '"type":"t"');
});
afterEach(closeClients);
afterAll(async () => {
  await proxy?.stop();
  await server?.stop();
});

/** The events of these channels that are kept, in the log's order. */
async function kept(...channels: readonly string[]): Promise<string[]> {
  const found = await Promise.all(channels.map((channel) => server.history(key, channel)));
  return found
    .flat()
    .map(({ id }) => id)
    .sort();
}

for (const transport of IN_NODE) {
  describe(transport, () => {
    const make = () =>
      clientOf(transport, { url: proxy.url, auth: () => key, heartbeat: 1000, backoff: { initial: 10, max: 50 } });
    const [long, short, live] = ['long', 'short', 'live'].map((name) => `${name}:${transport}`) as [
      string,
      string,
      string,
    ];
    let oldest: Cursor;
    beforeAll(async () => {
      oldest = (await publishNumbers(server, key, long, 10))[0] as Cursor;
      for (let round = 0; round < 5; round += 1) {
        await publishNumbers(server, key, long, 10, 10 * (round + 1));
        await publishNumbers(server, key, short, 2, 2 * round);
      }
      // What the server holds in memory reaches further back than what it keeps.
      await server.restart();
      const end = Date.now() + 20_000;
      while ((await server.history(key, long)).length > 2 * RETAINED) {
        if (Date.now() > end) throw new Error('nothing was removed');
        await publishNumbers(server, key, long, 1, -1);
      }
    });

    test('the oldest event that is kept of each, and no gap', async () => {
      const seen = new Collector();
      const expected = await kept(long, short);
      await make().subscribe({ channels: [long, short], since: 'start' }, seen).ready;
      await seen.count(expected.length);
      expect(seen.ids).toEqual(expected);
      expect(expected.length).toBeLessThan(60);
      expect([seen.gaps, seen.errors]).toEqual([[], []]);
    });

    test('the same on a stream that runs, cut while it catches up', async () => {
      const [now, seen] = [new Collector(), new Collector()];
      const client = make();
      await client.subscribe(live, now).ready;
      proxy.arm('cut');
      const expected = await kept(long, short);
      let strikes = 0;
      proxy.onStrike = () => {
        strikes += 1;
      };
      await client.subscribe({ channels: [long, short], since: 'start' }, seen).ready;
      await seen.count(expected.length);
      const [last = ''] = await publishNumbers(server, key, live, 1);
      await now.count(1);
      expect([seen.ids, now.ids]).toEqual([expected, [last]]);
      expect([...seen.gaps, ...now.gaps, ...seen.errors]).toEqual([]);
      console.log(`${transport}: cut ${strikes} times while it caught up`);
      expect(strikes).toBe(1);
    });

    test('after a cursor that is too old: a gap of that channel alone, beside the other from its start', async () => {
      const [old, other] = [new Collector(), new Collector()];
      const client = make();
      const [first, second] = [await kept(long), await kept(short)];
      const subscription = client.subscribe({ channels: long, since: oldest }, old);
      await client.subscribe({ channels: short, since: 'start' }, other).ready;
      await subscription.ready;
      await Promise.all([old.count(first.length), other.count(second.length)]);
      expect(old.gaps).toMatchObject([{ reason: 'expired', channels: [long] }]);
      expect(old.order[0]).toBe('gap:expired');
      expect([old.ids, other.ids]).toEqual([first, second]);
      expect(other.gaps).toEqual([]);
    });
  });
}
