// Every transport of Node against the real server: order, restarts, live changes, gaps.

import { Server } from '@tidings/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Cursor } from '../../src/index.ts';
import { Collector } from '../support/collector.ts';
import { clientOf, closeClients, IN_NODE } from '../support/matrix.ts';
import { publish, publishNumbers } from '../support/publish.ts';

let server: Server;
let key: string;
beforeAll(async () => {
  server = await Server.start('stream.heartbeat = "1s"\n');
  key = (await server.key()).key;
});
afterEach(closeClients);
afterAll(() => server?.stop());

for (const transport of IN_NODE) {
  describe(transport, () => {
    const client = () => clientOf(transport, { url: server.url, auth: key, heartbeat: 1000 });
    const named = (name: string) => `${transport}:${name}`;

    test('gives events in order, live', async () => {
      const seen = new Collector();
      const one = client();
      await one.subscribe(named('order'), seen).ready;
      expect(one.status).toMatchObject({ state: 'connected', transport, error: null });
      const ids = await publishNumbers(server, key, named('order'), 50);
      await seen.count(50);
      expect(seen.ids).toEqual(ids);
      expect(seen.data).toEqual(ids.map((_, n) => n));
    });

    test('begins at the oldest event, or after a cursor', async () => {
      const ids = await publishNumbers(server, key, named('since'), 20);
      const [all, some] = [new Collector(), new Collector()];
      await client().subscribe({ channels: named('since'), since: 'start' }, all).ready;
      await client().subscribe({ channels: named('since'), since: ids[9] as Cursor }, some).ready;
      await Promise.all([all.count(20), some.count(10)]);
      expect(all.ids).toEqual(ids);
      expect(some.ids).toEqual(ids.slice(10));
      expect([...all.gaps, ...some.gaps]).toEqual([]);
    });

    test('adds and removes channels on the open stream', async () => {
      const one = client();
      const [a, b, c] = [new Collector(), new Collector(), new Collector()];
      await one.subscribe(named('a'), a).ready;
      const early = await publishNumbers(server, key, named('b'), 5);
      await one.subscribe({ channels: named('b'), since: early[1] as Cursor }, b).ready;
      await b.count(3);
      const third = one.subscribe([named('c'), named('a')], c);
      await third.ready;
      const late = await publish(
        server,
        key,
        { channel: named('a'), type: 't', data: 0 },
        { channel: named('b'), also: [named('c')], type: 't', data: 1 },
        { channel: named('c'), type: 't', data: 2 },
      );
      await Promise.all([a.count(1), b.count(4), c.count(3)]);
      expect(a.ids).toEqual(late.slice(0, 1));
      expect(b.ids).toEqual([...early.slice(2), late[1]]);
      expect(c.ids).toEqual(late);
      third.close();
      const [after] = await publishNumbers(server, key, named('a'), 1, 9);
      await a.count(2);
      expect(a.ids.at(-1)).toBe(after);
      expect(c.ids).toEqual(late);
      expect(one.status.state).toBe('connected');
    });

    test('goes on exactly where it was after the server was killed', async () => {
      const seen = new Collector();
      const one = client();
      await one.subscribe(named('kill'), seen).ready;
      const ids: string[] = [];
      for (let round = 0; round < 3; round += 1) {
        ids.push(...(await publishNumbers(server, key, named('kill'), 10)));
        await server.crash();
        ids.push(...(await publishNumbers(server, key, named('kill'), 10)));
        await seen.count(ids.length);
      }
      expect(seen.ids).toEqual(ids);
      expect(seen.gaps).toEqual([]);
      expect(seen.statuses.some(({ state }) => state === 'reconnecting')).toBe(true);
      expect(one.status.state).toBe('connected');
    });

    test('a history that the server does not know is a gap, and what follows comes', async () => {
      const seen = new Collector();
      const one = client();
      await one.subscribe({ channels: named('reset'), since: '0000000000009.0000000' }, seen).ready;
      await seen.until(() => seen.gaps.length > 0);
      expect(seen.gaps).toMatchObject([{ reason: 'unknown', channels: [named('reset')] }]);
      const ids = await publishNumbers(server, key, named('reset'), 3);
      await seen.count(3);
      expect(seen.ids).toEqual(ids);
    });

    test('events that other channels brought before are given to who begins in the past', async () => {
      const one = client();
      const [list, record] = [new Collector(), new Collector()];
      await one.subscribe(named('list'), list).ready;
      const draft = (data: number) => ({ channel: named('record'), also: [named('list')], type: 't', data });
      const ids = await publish(
        server,
        key,
        draft(0),
        draft(1),
        { channel: named('record'), type: 't', data: 2 },
        draft(3),
      );
      await list.count(3);
      await one.subscribe({ channels: named('record'), since: ids[0] as Cursor }, record).ready;
      await record.count(3);
      expect(record.ids).toEqual(ids.slice(1));
      expect(list.ids).toEqual([ids[0], ids[1], ids[3]]);
    });

    test('a refused channel is told, and the others go on', async () => {
      const limited = (await server.key([`subscribe:${transport}:mine`])).key;
      const one = clientOf(transport, { url: server.url, auth: limited });
      const [mine, theirs] = [new Collector(), new Collector()];
      const first = one.subscribe(named('mine'), mine);
      const second = one.subscribe(named('theirs'), theirs);
      await expect(second.ready).rejects.toMatchObject({ code: 'forbidden_channel', channel: named('theirs') });
      await first.ready;
      expect(theirs.errors).toHaveLength(1);
      await publishNumbers(server, key, named('mine'), 1);
      await mine.count(1);
      expect(mine.errors).toEqual([]);
    });
  });
}
