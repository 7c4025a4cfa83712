// Whoever is given nothing moves on all the same: a subscription whose filter matches nothing, cut after two heartbeats,
// comes back after what it was never shown, on each transport. What it would have had to be shown is gone by then, and
// the server looks at none of it.

import { Server } from '@tidings/testkit';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { createClient, type TransportName } from '../../src/index.ts';
import { Browser } from '../support/browser.ts';
import { Collector } from '../support/collector.ts';
import { clientOf, closeClients, IN_NODE } from '../support/matrix.ts';
import { counted } from '../support/metrics.ts';
import { FaultProxy } from '../support/proxy.ts';
import { publish } from '../support/publish.ts';

const RETAINED = 5;
/** More than the four megabytes that the server holds in memory, in which even what was removed is found. */
const PUBLISHED = 90;
const LARGE = 'x'.repeat(60_000);

let browser: Browser;
let server: Server;
let key: string;
let proxy: FaultProxy;
beforeAll(async () => {
  browser = await Browser.start();
  const retention = `log.retention.events_per_channel = ${RETAINED}`;
  server = await Server.start(`stream.heartbeat = "1s"\n${retention}\ncors.origins = ["${browser.origin}"]\n`);
  key = (await server.key()).key;
  proxy = await FaultProxy.start(server.port, '"type":"wanted"');
});
afterEach(closeClients);
afterAll(async () => {
  await browser?.stop();
  await proxy?.stop();
  await server?.stop();
});

/** The subscriber, wherever it runs. */
interface Follower {
  /** How many heartbeats it has had. */
  heartbeats(): Promise<number>;
  /** What it was given. */
  told(): Promise<{ readonly ids: readonly string[]; readonly gaps: readonly string[]; readonly state: string }>;
  close(): Promise<void>;
}

async function inNode(transport: TransportName, channel: string): Promise<Follower> {
  const seen = new Collector();
  let heartbeats = 0;
  const client = clientOf(transport, {
    url: proxy.url,
    auth: key,
    heartbeat: 1000,
    trace: ({ input }) => {
      if (input.type === 'ping') heartbeats += 1;
    },
  });
  await client.subscribe({ channels: channel, types: ['wanted'] }, seen).ready;
  return {
    heartbeats: async () => heartbeats,
    told: async () => ({ ids: seen.ids, gaps: seen.gaps.map(({ reason }) => reason), state: client.status.state }),
    close: async () => client.close(),
  };
}

async function inChromium(transport: TransportName, channel: string): Promise<Follower> {
  const backoff = { initial: 50, max: 500 };
  const options = {
    url: proxy.url,
    token: key,
    transports: [transport],
    heartbeat: 1000,
    backoff,
    traced: 'tidings:ping',
  };
  const name = await browser.call<number>('make', options);
  expect(await browser.call('subscribe', name, { channels: channel, types: ['wanted'] })).toBe('ready');
  interface Told {
    readonly ids: { readonly [channel: string]: readonly string[] };
    readonly gaps: readonly string[];
    readonly lines: readonly string[];
    readonly state: string;
  }
  const told = () => browser.call<Told>('told', name);
  return {
    heartbeats: async () => (await told()).lines.length,
    told: async () => {
      const { ids, gaps, state } = await told();
      return { ids: ids[channel] ?? [], gaps, state };
    },
    close: () => browser.call('close', name),
  };
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 20_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`still waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Where a request asks to begin. */
function placeOf(what: string, body: string): string | null {
  if (what.startsWith('POST /v1/poll')) return (JSON.parse(body) as { after?: string }).after ?? 'now';
  if (!/^(GET \/v1\/events|upgrade )/.test(what)) return null;
  return new URL(what.split(' ')[1] ?? '', 'http://a.test').searchParams.get('since');
}

/** Publishes what nobody wants; answers the last id. */
async function publishUnwanted(channel: string): Promise<string> {
  let last = '';
  for (let left = PUBLISHED; left > 0; left -= 15) {
    const drafts = Array.from({ length: 15 }, () => ({ channel, type: 'other', data: LARGE }));
    last = (await publish(server, key, ...drafts)).at(-1) ?? '';
  }
  return last;
}

/** Whether the server can no longer give everything after a place. */
async function isLost(channel: string, after: string): Promise<boolean> {
  const headers = { authorization: `Bearer ${key}` };
  const answer = await fetch(`${server.url}/v1/poll?channel=${channel}&after=${after}&wait=0`, { headers });
  const { resets } = (await answer.json()) as { resets: { reason: string }[] };
  return resets.some(({ reason }) => reason === 'expired');
}

const RUNS = [
  ...IN_NODE.map((transport) => ({ transport, follow: inNode, place: 'Node' })),
  ...(['websocket', 'eventsource'] as const).map((transport) => ({ transport, follow: inChromium, place: 'Chromium' })),
];

for (const { transport, follow, place } of RUNS) {
  test(`${transport} in ${place} goes on after what it was not shown`, async () => {
    const channel = `quiet:${place}:${transport}`;
    const [before = ''] = await publish(server, key, { channel, type: 'other', data: null });
    const follower = await follow(transport, channel);
    const last = await publishUnwanted(channel);
    const heard = await follower.heartbeats();
    await until('two heartbeats', async () => (await follower.heartbeats()) >= heard + 2);
    // Whoever came back from where it began would be told that it has lost something.
    await until('the end of what was published', () => isLost(channel, before));

    const places: string[] = [];
    proxy.onAsked = (what, body) => {
      const since = placeOf(what, body);
      if (since !== null) places.push(since);
    };
    const examined = await counted(server, 'tidings_log_rows_examined');
    proxy.cutStreams();
    await until('the next stream', async () => places.length > 0 && (await follower.told()).state === 'connected');
    expect(places[0]).toBe(last);
    const [wanted] = await publish(server, key, { channel, type: 'wanted', data: null });
    await until('what it wants', async () => (await follower.told()).ids.length > 0);
    const rows = (await counted(server, 'tidings_log_rows_examined')) - examined;
    expect(await follower.told()).toEqual({ ids: [wanted], gaps: [], state: 'connected' });
    console.log(`${transport} in ${place}: began at ${before}, came back after ${places[0]}, ${rows} rows looked at`);
    expect(rows).toBeLessThanOrEqual(2);
    await follower.close();
  });
}

test('who comes back from where it began is told of the gap', async () => {
  const channel = 'quiet:twin';
  const [before = ''] = await publish(server, key, { channel, type: 'other', data: null });
  await publishUnwanted(channel);
  await until('the end of what was published', () => isLost(channel, before));
  const seen = new Collector();
  const client = createClient({ url: server.url, auth: key });
  await client.subscribe({ channels: channel, types: ['wanted'], since: before }, seen).ready;
  await seen.until(() => seen.gaps.length > 0);
  expect(seen.gaps).toMatchObject([{ reason: 'expired', channels: [channel] }]);
  client.close();
});
