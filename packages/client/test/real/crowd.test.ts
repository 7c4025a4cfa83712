// Many subscriptions at once, many changes while the stream breaks, and an end in the middle of the beginning: what is
// asked for is counted on the way, what is subscribed on the server.

import { Server } from '@tidings/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import WebSocket from 'ws';
import type { Subscription } from '../../src/index.ts';
import { Collector } from '../support/collector.ts';
import { clientOf, closeClients, IN_NODE } from '../support/matrix.ts';
import { counted, streamsOpened } from '../support/metrics.ts';
import { FaultProxy } from '../support/proxy.ts';
import { publish } from '../support/publish.ts';
import { random } from '../support/random.ts';
import { CountedTimers } from '../support/timers.ts';

let server: Server;
let key: string;
let proxy: FaultProxy;
/** What was asked for on the way, and what was sent on WebSockets. */
const asked: string[] = [];
beforeAll(async () => {
  server = await Server.start('stream.heartbeat = "1s"\n');
  key = (await server.key()).key;
  proxy = await FaultProxy.start(server.port, '"type":"t"');
  proxy.onAsked = (what) => asked.push(what.split('?')[0] ?? '');
});
afterEach(closeClients);
afterAll(async () => {
  await proxy?.stop();
  await server?.stop();
});

class CountedSocket extends WebSocket {
  override send(text: string): void {
    asked.push(`frame ${(JSON.parse(text) as { op: string }).op}`);
    super.send(text);
  }
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 20_000;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`still waiting for ${what}`);
    await pause(20);
  }
}

/** Publishes one event to each channel; answers how many of them the server sent. */
async function sentOf(channels: readonly string[], isDone: () => boolean): Promise<number> {
  const before = proxy.passed;
  for (let at = 0; at < channels.length; at += 100) {
    const drafts = channels.slice(at, at + 100).map((channel) => ({ channel, type: 't', data: null }));
    await publish(server, key, ...drafts);
  }
  await until('every event', isDone);
  // What should not come would be there by now.
  await pause(100);
  return proxy.passed - before;
}

/** Most requests and frames for a thousand channels: with a ticket first, and with what one address does not hold. */
const FEW = {
  websocket: ['POST /v1/tickets', 'upgrade /v1/ws', 'frame subscribe'],
  sse: ['GET /v1/events', 'POST /v1/sessions/…/subscriptions'],
  poll: ['POST /v1/poll'],
};

for (const transport of IN_NODE) {
  describe(transport, () => {
    /** How many changes of the stream were answered. */
    let changed = 0;
    const make = () =>
      clientOf(transport, {
        url: proxy.url,
        trace: ({ input }) => {
          if (input.type === 'changed') changed += 1;
        },
        auth: () => key,
        heartbeat: 1000,
        backoff: { initial: 5, max: 50 },
        environment: { WebSocket: CountedSocket as never },
      });

    test('a thousand subscriptions within one task are few requests', async () => {
      const channels = Array.from({ length: 1000 }, (_, n) => `crowd:${transport}:${n}`);
      asked.length = 0;
      const client = make();
      const opened = await streamsOpened(server);
      let events = 0;
      const subscriptions = channels.map((channel) =>
        client.subscribe(channel, () => {
          events += 1;
        }),
      );
      await Promise.all(subscriptions.map(({ ready }) => ready));
      const said = asked.map((what) => what.replace(/sessions\/[^/]+/, 'sessions/…'));
      // The next poll may wait by now.
      if (transport === 'poll') said.splice(1, 1);
      console.log(`${transport}: ${said.join(', ')}`);
      expect(said).toEqual(FEW[transport]);
      if (transport !== 'poll') expect((await streamsOpened(server)) - opened).toBe(1);
      const sent = await sentOf(channels, () => events === 1000);
      expect(sent).toBe(1000);

      asked.length = 0;
      changed = 0;
      for (const subscription of subscriptions.slice(1)) subscription.close();
      // A poll is asked anew, with what is left.
      await until('the change', () => changed > 0 && asked.length > 0);
      // What should not be asked for as well would be by now.
      await pause(300);
      expect(asked.filter((what) => /frame|subscriptions/.test(what)).length).toBe(transport === 'poll' ? 0 : 1);
      const left = await sentOf([...channels, channels[0] ?? ''], () => events === 1002);
      expect(left).toBe(2);
    });

    test('a thousand changes while the stream breaks leave what is wanted', async () => {
      const numbers = random(7);
      const channels = Array.from({ length: 12 }, (_, n) => `flip:${transport}:${n}`);
      const client = make();
      const wanted = new Map<string, { readonly seen: Collector; readonly subscription: Subscription }>();
      const all = new Set(channels);
      let cuts = 0;
      // On a busy machine the client is not connected at most of the cuts.
      for (let change = 0; change < 1000 || (cuts < 10 && change < 10_000); change += 1) {
        const channel = numbers.pick(channels);
        const held = wanted.get(channel);
        if (held === undefined) {
          const seen = new Collector();
          wanted.set(channel, { seen, subscription: client.subscribe(channel, seen) });
        } else {
          held.subscription.close();
          wanted.delete(channel);
        }
        if (numbers.chance(0.05)) {
          if (client.status.state === 'connected') cuts += 1;
          proxy.cutStreams();
        }
        if (numbers.chance(0.3)) await pause(numbers.below(8));
      }
      await Promise.all([...wanted.values()].map(({ subscription }) => subscription.ready));
      // The last changes are removals, which nobody can wait for.
      const isDone = () => [...wanted.values()].every(({ seen }) => seen.events.length > 0);
      let sent = 0;
      for (let tries = 0; tries < 20 && sent !== wanted.size; tries += 1) {
        if (tries > 0) await pause(500);
        await until('the stream', () => client.status.state === 'connected');
        for (const { seen } of wanted.values()) seen.events.length = 0;
        sent = await sentOf(channels, isDone);
      }
      console.log(`${transport}: ${wanted.size} of ${all.size} channels wanted, ${sent} events sent, ${cuts} cuts`);
      expect(cuts).toBeGreaterThan(5);
      for (const [channel, { seen }] of wanted) {
        expect(seen.events.map((event) => event.channel)).toEqual([channel]);
        expect([seen.gaps, seen.errors]).toEqual([[], []]);
      }
      expect(sent).toBe(wanted.size);
    });

    test('closed while it begins, at whatever moment, nothing is left', async () => {
      const timers = new CountedTimers();
      const states = new Set<string>();
      for (let moment = 0; moment < 40; moment += 1) {
        const seen = new Collector();
        const auth = async () => {
          if (moment % 2 === 0) await pause(3);
          return key;
        };
        const environment = { WebSocket: CountedSocket as never, after: timers.after };
        const client = clientOf(transport, { url: proxy.url, auth, heartbeat: 1000, environment });
        const { ready } = client.subscribe(`ends:${transport}`, seen);
        const outcome = ready.then(
          () => 'ready',
          (error) => error.code,
        );
        if (moment < 5) for (let turn = 0; turn < moment; turn += 1) await Promise.resolve();
        else await pause(moment / 2);
        states.add(client.status.state);
        client.close();
        expect(client.status.state).toBe('closed');
        expect(['ready', 'closed']).toContain(await outcome);
        const told = seen.statuses.length;
        await pause(1);
        expect(seen.statuses).toHaveLength(told);
      }
      console.log(`${transport}: closed in the states ${[...states].join(', ')}`);
      expect(states.has('connecting')).toBe(true);
      await until(
        `no timer (${timers.running}) or connection (${proxy.said})`,
        () => timers.running === 0 && proxy.open === 0,
      );
      await until('no session', async () => (await counted(server, 'tidings_sessions_attached')) === 0);
    });
  });
}
