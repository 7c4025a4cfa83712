// Fifty casts of one page against the real server: what is asked for is counted on the way, streams on the server.

import { Server } from '@tidings/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type CastFollowing, followCast } from '../../src/casts/index.ts';
import { Browser } from '../support/browser.ts';
import { clientOf, closeClients } from '../support/matrix.ts';
import { streamsOpened } from '../support/metrics.ts';
import { FaultProxy } from '../support/proxy.ts';

const COUNT = 50;
const RETAINED = 4;
/** What is slow on a busy machine is not asked for again: requests and streams are counted. */
const PATIENT = { watchdog: 20_000, openTimeout: 60_000, linger: 20_000 };

let browser: Browser;
let server: Server;
let key: string;
let proxy: FaultProxy;
beforeAll(async () => {
  browser = await Browser.start();
  const settings = [
    'stream.heartbeat = "1s"',
    `log.retention.events_per_channel = ${RETAINED}`,
    `cors.origins = ["${browser.origin}"]`,
  ];
  server = await Server.start(`${settings.join('\n')}\n`);
  key = (await server.key()).key;
  proxy = await FaultProxy.start(server.port, '"type":"PROGRESS_UPDATE"');
});
afterEach(closeClients);
afterAll(async () => {
  await browser?.stop();
  await proxy?.stop();
  await server?.stop();
});

async function tell(id: string, type: string, data: object): Promise<void> {
  const response = await fetch(`${server.url}/api/casts/${id}/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ type, data, userId: 'usr_1' }),
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
}

async function until(what: string, holds: () => boolean): Promise<void> {
  const end = Date.now() + 20_000;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`still waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

for (const transport of ['websocket', 'sse'] as const) {
  describe(transport, () => {
    const ids = Array.from({ length: COUNT }, (_, n) => `many_${transport}_${n}`);
    const asked: string[] = [];
    const gaps: string[] = [];
    const failures: string[] = [];
    let followings: CastFollowing[] = [];

    test(`${COUNT} casts are one reading and one stream; a gap of all is one more`, async () => {
      for (const id of ids) await tell(id, 'STARTED', { startedAt: new Date() });
      proxy.onAsked = (what) => {
        if (what.startsWith('GET /api/casts')) asked.push(what);
      };
      const opened = await streamsOpened(server);
      const client = clientOf(transport, { url: proxy.url, auth: () => key, heartbeat: 1000, ...PATIENT });
      const follow = (id: string) =>
        followCast(client, id, {
          onGap: ({ reason }) => gaps.push(reason),
          onFailure: (error) => failures.push(`${id} ${error.message}`),
        });
      followings = ids.map(follow);
      await Promise.all(followings.map(({ ready }) => ready));
      expect(asked).toHaveLength(1);
      expect(asked[0]?.split('id=')).toHaveLength(COUNT + 1);
      expect((await streamsOpened(server)) - opened).toBe(1);
      expect(followings.map(({ cast }) => cast?.status)).toEqual(ids.map(() => 'running'));

      for (const id of ids) await tell(id, 'PROGRESS_UPDATE', { progress: 1 });
      await until('progress', () => followings.every(({ cast }) => cast?.progress === 1));
      expect(asked).toHaveLength(1);

      // While nobody listens more happens than is kept; what the server holds in memory goes with it.
      let release = () => {};
      proxy.gate = new Promise((resolve) => {
        release = resolve;
      });
      proxy.cutStreams();
      for (let progress = 2; progress <= 3 * RETAINED; progress += 1) {
        await Promise.all(ids.map((id) => tell(id, 'PROGRESS_UPDATE', { progress })));
      }
      await server.crash();
      const again = await streamsOpened(server);
      release();
      proxy.gate = undefined;
      await until('what was missed', () => followings.every(({ cast }) => cast?.progress === 3 * RETAINED));
      await until('the gaps', () => gaps.length >= COUNT);
      for (const id of ids) await tell(id, 'COMPLETED', { finishedAt: new Date() });
      await until('the ends', () => followings.every(({ cast }) => cast?.status === 'succeeded'));
      const streams = (await streamsOpened(server)) - again;
      console.log(
        `${transport}: ${asked.length} readings for ${COUNT} casts and ${gaps.length} gaps, ${streams} stream after`,
      );
      expect(gaps).toEqual(ids.map(() => 'expired'));
      expect(asked).toHaveLength(2);
      expect(streams).toBe(1);
      expect(failures).toEqual([]);
    });
  });
}

test('a cast that is not there is refused by the common answer, and the others go on', async () => {
  await tell('there', 'STARTED', { startedAt: new Date() });
  const asked: string[] = [];
  proxy.onAsked = (what) => {
    if (what.startsWith('GET /api/casts')) asked.push(what);
  };
  const client = clientOf('sse', { url: proxy.url, auth: () => key });
  const [there, gone] = [followCast(client, 'there', {}), followCast(client, 'gone', { onFailure: () => {} })];
  await expect(gone.ready).rejects.toMatchObject({ status: 404 });
  await there.ready;
  expect(there.cast?.status).toBe('running');
  expect(asked).toEqual(['GET /api/casts?id=there&id=gone']);
});

test(`in Chromium ${COUNT} casts are one reading and one stream, from the page's first moment on`, async () => {
  for (const transport of ['websocket', 'sse', 'eventsource']) {
    const ids = Array.from({ length: COUNT }, (_, n) => `page_${transport}_${n}`);
    for (const id of ids) await tell(id, 'STARTED', { startedAt: new Date() });
    const asked: string[] = [];
    proxy.onAsked = (what) => {
      if (what.startsWith('GET /api/casts')) asked.push(what);
    };
    const opened = await streamsOpened(server);
    await browser.load(browser.page);
    const name = await browser.call<number>('make', {
      url: proxy.url,
      token: key,
      transports: [transport],
      ...PATIENT,
    });
    expect(await browser.call('follow', name, ids)).toEqual(ids.map(() => 'running'));
    expect(asked).toHaveLength(1);
    expect((await streamsOpened(server)) - opened).toBe(1);
    await browser.call('close', name);
  }
});
