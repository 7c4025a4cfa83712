// What something on the way breaks: another transport is taken, and the better one again once it works.

import type { IncomingMessage } from 'node:http';
import { Server } from '@tidings/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Collector } from '../support/collector.ts';
import { clientOf, closeClients } from '../support/matrix.ts';
import { type Fault, FaultProxy } from '../support/proxy.ts';
import { publishNumbers } from '../support/publish.ts';

let server: Server;
let key: string;
let proxy: FaultProxy;
beforeAll(async () => {
  server = await Server.start('stream.heartbeat = "1s"\n');
  key = (await server.key()).key;
  proxy = await FaultProxy.start(server.port, '"type":"t"');
});
afterEach(() => {
  closeClients();
  proxy.standing = undefined;
});
afterAll(async () => {
  await proxy?.stop();
  await server?.stop();
});

const isSocket = ({ headers }: IncomingMessage) => headers.upgrade !== undefined;
const isSse = ({ url }: IncomingMessage) => url?.startsWith('/v1/events') === true;

const BROKEN: readonly { name: string; fault: Fault; breaks: (request: IncomingMessage) => boolean; used: string }[] = [
  { name: 'upgrades are answered by 403', fault: '403', breaks: isSocket, used: 'sse' },
  { name: 'upgrades hang', fault: 'hang in headers', breaks: isSocket, used: 'sse' },
  { name: 'upgrades are answered by 200', fault: 'wrong content type', breaks: isSocket, used: 'sse' },
  {
    name: 'streams are buffered',
    fault: 'buffering',
    breaks: (asked) => isSocket(asked) || isSse(asked),
    used: 'poll',
  },
  {
    name: 'streams are HTML',
    fault: 'wrong content type',
    breaks: (asked) => isSocket(asked) || isSse(asked),
    used: 'poll',
  },
];

describe('fallback', () => {
  for (const { name, fault, breaks, used } of BROKEN) {
    test(`where ${name}, ${used} is used, and the best again once it works`, async () => {
      let strikes = 0;
      proxy.onStrike = () => {
        strikes += 1;
      };
      proxy.standing = (asked) => (breaks(asked) ? fault : undefined);
      const seen = new Collector();
      const channel = `fallback:${name.replace(/ /g, '-')}`;
      const client = clientOf('websocket', {
        url: proxy.url,
        auth: key,
        transports: ['websocket', 'sse', 'poll'],
        // Long enough for what is not broken, on a busy machine too.
        openTimeout: 2000,
        // Longer than that: or one that hangs is tried again before all have been.
        restoreAfter: 3000,
        heartbeat: 1000,
      });
      await client.subscribe(channel, seen).ready;
      await seen.until(() => client.status.state === 'connected' && client.status.transport === used);
      const ids = await publishNumbers(server, key, channel, 5);
      await seen.count(5);
      expect(strikes).toBeGreaterThan(0);
      proxy.standing = undefined;
      await seen.until(() => client.status.transport === 'websocket' && client.status.state === 'connected', 25_000);
      ids.push(...(await publishNumbers(server, key, channel, 5)));
      await seen.count(10);
      expect(seen.ids).toEqual(ids);
      expect(seen.gaps).toEqual([]);
    });
  }

  test('channels that one address does not hold are added to the stream', async () => {
    const seen = new Collector();
    const channels = Array.from({ length: 300 }, (_, n) => `many:${n}:${'x'.repeat(60)}`);
    const client = clientOf('sse', { url: proxy.url, auth: key });
    await client.subscribe(channels, seen).ready;
    const ids: string[] = [];
    for (const channel of [channels[0], channels[150], channels[299]])
      ids.push(...(await publishNumbers(server, key, channel ?? '', 1)));
    await seen.count(3);
    proxy.cutStreams();
    for (const channel of [channels[0], channels[150], channels[299]])
      ids.push(...(await publishNumbers(server, key, channel ?? '', 2)));
    await seen.count(9);
    expect([...seen.ids].sort()).toEqual([...ids].sort());
    expect(new Set(seen.ids).size).toBe(9);
  });
});
