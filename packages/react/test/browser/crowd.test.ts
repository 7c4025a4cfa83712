// A thousand components on two hundred channels: one connection, storms of mounting that leave nothing behind, and a
// burst of ten thousand events.
//
// TIDINGS_TEST_SEED brings back what is mounted when.

import { Server } from '@tidings/testkit';
import type { Browser, CDPSession, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { publish } from '../../../client/test/support/publish.ts';
import { random } from '../../../client/test/support/random.ts';
import type { Mode } from '../support/bundle.ts';
import { complaints, launch, signIn } from '../support/chromium.ts';
import { figures, until } from '../support/figures.ts';
import { Site } from '../support/site.ts';
import type { CrowdCounts, CrowdTold } from './pages/crowd.tsx';

const SEED = Number(process.env['TIDINGS_TEST_SEED'] ?? Date.now() % 1_000_000);
const COMPONENTS = 1000;
const CHANNELS = 200;
const ROUNDS = 50;
/** What a page may hold more after round 50 than it did after round 10, for caches that are still filling. */
const HEAP_ALLOWANCE = 1_000_000;
/** The same for nodes of the document and listeners: a leak would leave one of each of thousands of mounts. */
const NODES_ALLOWANCE = 300;
/** Hooks that are unmounted, and that React has not let go of yet; of stores and subscriptions there may be none. */
const HOOKS_ALLOWANCE = 50;
/** Counts React's commits, as its developer tools would; its profiler is not in builds for production. */
const COUNT_COMMITS = `
window.commits = 0;
window.__REACT_DEVTOOLS_GLOBAL_HOOK__ = {
  supportsFiber: true,
  inject: () => 1,
  onCommitFiberRoot: () => void (window.commits += 1),
  onPostCommitFiberRoot() {},
  onCommitFiberUnmount() {},
};`;

const range = (count: number) => Array.from({ length: count }, (_, n) => n);
const ALL = range(COMPONENTS);

let site: Site;
let server: Server;
let key: string;
let browser: Browser;
beforeAll(async () => {
  site = await Site.start();
  server = await Server.start(`cors.origins = ["${site.origin}"]\nauth.user_grants = ["subscribe:crowd:*"]\n`);
  key = (await server.key()).key;
  browser = await launch();
  for (const mode of ['development', 'production'] as const) {
    await site.page(mode, new URL('pages/crowd.tsx', import.meta.url).pathname, mode);
  }
});
afterAll(async () => {
  await browser?.close();
  await server?.stop();
  await site?.stop();
});

interface Held {
  readonly heap: number;
  readonly nodes: number;
  readonly listeners: number;
  readonly hooks: number;
  readonly stores: number;
  readonly subscriptions: number;
}

/** A page with the crowd, nobody mounted. */
class Crowd {
  readonly page: Page;
  readonly #control: CDPSession;
  /** What the server has sent over WebSockets. */
  readonly #frames: string[] = [];
  readonly complaints: string[];

  private constructor(page: Page, control: CDPSession) {
    this.page = page;
    this.#control = control;
    this.complaints = complaints(page);
    page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => this.#frames.push(String(payload))));
  }

  static async open(mode: Mode, isStrict: boolean): Promise<Crowd> {
    const context = await browser.newContext();
    const page = await context.newPage();
    const crowd = new Crowd(page, await context.newCDPSession(page));
    onTestFinished(() => crowd.close());
    await page.addInitScript(COUNT_COMMITS);
    await page.goto(`${site.origin}/${mode}`);
    await signIn(page, server.url, await server.user());
    await crowd.call('start', { url: server.url, channels: CHANNELS, isStrict });
    return crowd;
  }

  call<Answer>(name: string, ...words: unknown[]): Promise<Answer> {
    return this.page.evaluate(`window.crowd.${name}(...${JSON.stringify(words)})`) as Promise<Answer>;
  }

  counts = () => this.call<CrowdCounts>('counts');

  /** Waits until so many components are mounted, and exactly what they follow is subscribed. */
  async settled(components: readonly number[]): Promise<CrowdCounts> {
    const channels = new Set(components.map((at) => at % CHANNELS)).size;
    return until(
      `${components.length} components on ${channels} channels`,
      this.counts,
      (now) =>
        now.shown === components.length &&
        now.ready === components.length &&
        now.channels === channels &&
        now.followers === channels,
    );
  }

  /** How many channels the server sends: those subscribed there, whatever the page thinks. */
  async #sent(): Promise<number> {
    this.#frames.length = 0;
    const of = (channel: number) => ({ channel: `crowd:${channel}`, type: 'probe', data: { n: 0 } });
    for (let at = 0; at < CHANNELS; at += 100) await publish(server, key, ...range(100).map((n) => of(at + n)));
    await new Promise((resolve) => setTimeout(resolve, 500));
    return new Set(this.#frames.flatMap((text) => /"event":"probe".*"channel":"(crowd:\d+)"/.exec(text)?.[1] ?? []))
      .size;
  }

  /** Waits until the server sends so many channels; what is being taken back may still come a moment. */
  subscribed(expected: number): Promise<number> {
    return until(
      `${expected} channels from the server`,
      () => this.#sent(),
      (sent) => sent === expected,
    );
  }

  /** What is held once the garbage is gone. */
  async held(): Promise<Held> {
    for (let turn = 0; turn < 3; turn += 1) await this.#control.send('HeapProfiler.collectGarbage');
    const { usedSize } = await this.#control.send('Runtime.getHeapUsage');
    const { nodes, jsEventListeners } = await this.#control.send('Memory.getDOMCounters');
    const [hooks, stores, subscriptions] = [
      await this.#alive('hooks'),
      await this.#alive('stores'),
      await this.#alive('subscriptions'),
    ];
    return { heap: usedSize, nodes, listeners: jsEventListeners, hooks, stores, subscriptions };
  }

  /** How many objects of a kind there are in the page's memory. */
  async #alive(kind: string): Promise<number> {
    const objectGroup = 'alive';
    const { result } = await this.#control.send('Runtime.evaluate', { expression: `crowd.kinds.${kind}`, objectGroup });
    const prototypeObjectId = result.objectId ?? expect.fail(`no ${kind}`);
    const { objects } = await this.#control.send('Runtime.queryObjects', { prototypeObjectId, objectGroup });
    // Not the prototypes of what extends it.
    const functionDeclaration =
      "function () { return this.filter((one) => !Object.hasOwn(one, 'constructor')).length; }";
    const { objectId } = objects;
    const asked = { functionDeclaration, returnByValue: true, ...(objectId !== undefined && { objectId }) };
    const answer = await this.#control.send('Runtime.callFunctionOn', asked);
    await this.#control.send('Runtime.releaseObjectGroup', { objectGroup });
    return answer.result.value;
  }

  /** Closes the page, and waits until the server has seen it go. */
  async close(): Promise<void> {
    await this.page.context().close();
    await until(
      'no stream',
      () => figures(server),
      ({ streams }) => streams === 0,
    );
  }
}

/** Opened and open now, on the server, since a page came. */
async function streamsSince(before: { readonly opened: number }) {
  const now = await figures(server);
  return { streams: now.streams, opened: now.opened - before.opened };
}

describe('a thousand components', () => {
  for (const [mode, isStrict] of [
    ['production', false],
    ['development', true],
  ] as const) {
    test(`${mode}${isStrict ? ', StrictMode' : ''}: storms of mounting leave nothing behind`, {
      timeout: 240_000,
    }, async () => {
      console.log(`seed ${SEED}`);
      const numbers = random(SEED);
      const before = await figures(server);
      const crowd = await Crowd.open(mode, isStrict);
      const idle = await crowd.held();
      await crowd.call('mount', ALL);
      await crowd.settled(ALL);
      expect(await streamsSince(before)).toEqual({ streams: 1, opened: 1 });
      await crowd.subscribed(CHANNELS);

      const held = new Map<number, Held>();
      let mounts = 0;
      for (let round = 1; round <= ROUNDS; round += 1) {
        // Channels as well as components: all components of some channels are gone at the end of each round.
        const quiet = new Set(range(CHANNELS).filter(() => numbers.chance(0.3)));
        const half = ALL.filter((at) => !quiet.has(at % CHANNELS) && numbers.chance(0.5));
        mounts += half.length;
        await crowd.call('mount', half);
        await new Promise((resolve) => setTimeout(resolve, numbers.below(150)));
        if (round % 10 !== 0) continue;
        await crowd.settled(half);
        await crowd.subscribed(new Set(half.map((at) => at % CHANNELS)).size);
        const shown = Object.keys(await crowd.call<object>('shown'));
        expect(shown).toEqual(half.map((at) => `one-${at}`));
        await crowd.call('mount', ALL);
        await crowd.settled(ALL);
        await crowd.call('forget');
        held.set(round, await crowd.held());
      }
      expect(await streamsSince(before)).toEqual({ streams: 1, opened: 1 });
      const [early, late] = [held.get(10), held.get(ROUNDS)];
      if (early === undefined || late === undefined) throw new Error('too few rounds');
      const heaps = [...held].map(([round, { heap }]) => `${round}: ${Math.round(heap / 1000)} kB`).join(', ');
      console.log(
        `${mode}: ${mounts} mounts; heap after round ${heaps} (allowed: ${HEAP_ALLOWANCE / 1000} kB more); ` +
          `nodes ${early.nodes} → ${late.nodes}, listeners ${early.listeners} → ${late.listeners}; alive at the end: ` +
          `${late.hooks} hooks, ${late.stores} stores, ${late.subscriptions} subscriptions`,
      );
      for (const { hooks, stores, subscriptions } of held.values()) {
        expect(hooks - idle.hooks).toBeLessThanOrEqual(COMPONENTS + HOOKS_ALLOWANCE);
        expect([stores - idle.stores, subscriptions]).toEqual([CHANNELS, CHANNELS]);
      }
      expect(late.heap - early.heap).toBeLessThan(HEAP_ALLOWANCE);
      expect(late.nodes - early.nodes).toBeLessThan(NODES_ALLOWANCE);
      expect(late.listeners - early.listeners).toBeLessThan(NODES_ALLOWANCE);

      await crowd.call('mount', []);
      await crowd.settled([]);
      await until(
        'no stream',
        () => streamsSince(before),
        ({ streams }) => streams === 0,
      );
      expect((await crowd.call<CrowdTold>('told')).gaps).toBe(0);
      const { stores, subscriptions } = await crowd.held();
      expect([stores, subscriptions]).toEqual([idle.stores, 0]);
      await crowd.call('end');
      expect(crowd.complaints).toEqual([]);
    });
  }

  test('a burst of ten thousand events, as they are published, leaves the page responsive', { timeout: 120_000 }, () =>
    burst('as published', async (publishing) => publishing()),
  );

  test('ten thousand events at once, after the network was away, leave the page responsive', { timeout: 120_000 }, () =>
    burst('at once', async (publishing, crowd) => {
      await crowd.page.context().setOffline(true);
      // What is open stays open by that alone.
      await server.restart();
      const counts = await publishing();
      expect((await crowd.counts()).told).toBe(0);
      await crowd.call('forget');
      await crowd.page.context().setOffline(false);
      return counts;
    }),
  );
});

type Counts = ReadonlyMap<number, number>;

/** Publishes 10,000 events to the channels, ten to each of ten at a time; answers how many each has got. */
async function publishBurst(): Promise<Counts> {
  const [lanes, batches] = [8, 100];
  const publishing = range(lanes).map(async (lane) => {
    // A lane's channels are its own, so that order is kept.
    const own = range(CHANNELS).filter((channel) => channel % lanes === lane);
    const counts = new Map<number, number>();
    for (let batch = lane; batch < batches; batch += lanes) {
      const round = Math.floor(batch / lanes);
      const ten = range(10).map((n) => own[(round * 10 + n) % own.length] ?? lane);
      const events = ten.flatMap((channel) =>
        range(10).map(() => {
          const n = (counts.get(channel) ?? 0) + 1;
          counts.set(channel, n);
          return { channel: `crowd:${channel}`, type: 'numbered', data: { n } };
        }),
      );
      await publish(server, key, ...events);
    }
    return counts;
  });
  return new Map((await Promise.all(publishing)).flatMap((own) => [...own]));
}

/** Has ten thousand events reach the page, and somebody click on it all the while. */
async function burst(name: string, run: (publishing: () => Promise<Counts>, crowd: Crowd) => Promise<Counts>) {
  const crowd = await Crowd.open('production', false);
  await crowd.call('mount', ALL);
  await crowd.settled(ALL);
  await crowd.call('forget');
  const { x, y, width, height } = (await crowd.page.locator('#button').boundingBox()) ?? expect.fail('no button');
  let isOver = false;
  const clicking = (async () => {
    const clicks: Promise<void>[] = [];
    // Somebody who does not wait for the page either.
    while (!isOver) {
      clicks.push(crowd.page.mouse.click(x + width / 2, y + height / 2));
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
    await Promise.all(clicks);
  })();
  const counts = await run(publishBurst, crowd);
  const perComponent = COMPONENTS / CHANNELS;
  await until('all', crowd.counts, ({ told }) => told >= 10_000 * perComponent, 60_000);
  isOver = true;
  await clicking;

  const told = await crowd.call<CrowdTold>('told');
  const tasks = await crowd.call<number[]>('tasks');
  const waits = (await crowd.call<number[]>('waits')).sort((a, b) => a - b);
  const ms = (time: number | undefined) => `${Math.round(time ?? 0)} ms`;
  const total = tasks.reduce((sum, one) => sum + one, 0);
  console.log(
    `10,000 events ${name}, told within ${ms(told.last - told.first)}; long tasks: ${tasks.length}, longest ` +
      `${ms(Math.max(0, ...tasks))}, together ${ms(total)}; of ${waits.length} clicks half waited less than ` +
      `${ms(waits[Math.floor(waits.length / 2)])}, all less than ${ms(waits.at(-1))}; ${told.commits} commits, ` +
      `${told.renders} renders of components`,
  );
  expect(waits.length).toBeGreaterThan(2);
  // In the log's order, over all channels, and each once.
  expect(told.ids).toEqual([...new Set(told.ids)].sort());
  expect(told.ids.length).toBe(10_000);
  const shown = await crowd.call<{ [id: string]: string }>('shown');
  for (const at of ALL) {
    const count = counts.get(at % CHANNELS) ?? 0;
    expect(told.numbers[at] ?? []).toEqual(range(count).map((n) => n + 1));
    expect(shown[`one-${at}`]).toBe(count === 0 ? '' : String(count));
  }
  expect(told.gaps).toBe(0);
  // One commit for each frame, and in it each component whose channel had news. One for each event would be 10,000
  // commits and 50,000 renders.
  expect(told.commits).toBeLessThan(1000);
  expect(told.renders).toBeGreaterThan(COMPONENTS / 2);
  expect(told.renders).toBeLessThan((10_000 * perComponent) / 2);
  expect(crowd.complaints).toEqual([]);
}
