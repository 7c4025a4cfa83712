// Tabs of Chromium against the real server: one connection, the six that HTTP/1.1 has, leaders that go in every way.

import { Server } from '@tidings/testkit';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { Browser } from '../support/browser.ts';
import { streamsOpened } from '../support/metrics.ts';
import { FaultProxy } from '../support/proxy.ts';
import { publishNumbers } from '../support/publish.ts';

interface Told {
  readonly ids: { readonly [channel: string]: readonly string[] };
  readonly gaps: readonly string[];
  readonly errors: readonly string[];
  readonly lines: readonly string[];
  readonly state: string;
  readonly code: string | null;
}

/** One page with one client. */
class Tab {
  readonly page: Page;
  readonly name: number;

  constructor(page: Page, name: number) {
    this.page = page;
    this.name = name;
  }

  call<Answer>(what: string, ...words: unknown[]): Promise<Answer> {
    const text = `window.tidings.${what}(...${JSON.stringify([this.name, ...words])})`;
    return this.page.evaluate(text) as Promise<Answer>;
  }

  /** Follows a channel from its beginning. */
  follow(channel: string): Promise<string> {
    return this.call('subscribe', { channels: channel, since: 'start' });
  }

  told(): Promise<Told> {
    return this.call('told');
  }

  async count(channel: string): Promise<number> {
    return (await this.told()).ids[channel]?.length ?? 0;
  }

  /** Only who holds the connection is told what it does. */
  async isLeading(): Promise<boolean> {
    return (await this.told()).lines.length > 0;
  }
}

let browser: Browser;
let server: Server;
let key: string;
let proxy: FaultProxy;
let context: BrowserContext;

beforeAll(async () => {
  browser = await Browser.start();
  server = await Server.start(`stream.heartbeat = "1s"\ncors.origins = ["${browser.origin}"]\n`);
  key = (await server.key()).key;
  proxy = await FaultProxy.start(server.port, '"type":"t"');
});
afterAll(async () => {
  await browser?.stop();
  await proxy?.stop();
  await server?.stop();
});
async function newBrowser(): Promise<void> {
  await context?.close();
  const made = await browser.page.context().browser()?.newContext();
  if (made === undefined) throw new Error('no browser');
  context = made;
}
beforeEach(newBrowser);

async function open(options: object = {}): Promise<Tab> {
  const page = await context.newPage();
  await browser.load(page);
  const short = { heartbeat: 1500, backoff: { initial: 20, max: 200 }, traced: 'tidings:ready' };
  const all = { url: server.url, token: key, tabs: 'somebody', ...short, ...options };
  const name = (await page.evaluate(`window.tidings.make(${JSON.stringify(all)})`)) as number;
  return new Tab(page, name);
}

async function until(what: string, holds: () => Promise<boolean>, within = 20_000): Promise<void> {
  const end = Date.now() + within;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`still waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function leaderOf(tabs: readonly Tab[]): Promise<Tab> {
  let found: Tab | undefined;
  await until('a leader', async () => {
    for (const tab of tabs) if (await tab.isLeading()) found = tab;
    return found !== undefined;
  });
  return found as Tab;
}

/** How many events are published at once. */
const AT_ONCE = 2;

/** Publishes without an end, as fast as the server answers and a little slower. */
class Load {
  readonly ids: string[] = [];
  #isOver = false;
  readonly #done: Promise<void>;

  constructor(channel: string) {
    this.#done = this.#run(channel);
  }

  async #run(channel: string): Promise<void> {
    while (!this.#isOver) {
      this.ids.push(...(await publishNumbers(server, key, channel, AT_ONCE, this.ids.length)));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Waits until something was published that nobody had begun to publish before. */
  async more(): Promise<void> {
    const { length } = this.ids;
    await until('more to be published', async () => this.ids.length > length + AT_ONCE);
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#done;
  }
}

async function expectAll(tabs: readonly Tab[], channel: string, ids: readonly string[]): Promise<void> {
  for (const tab of tabs) {
    await until('all events', async () => (await tab.count(channel)) >= ids.length).catch(() => {});
    const told = await tab.told();
    expect(told.ids[channel]).toEqual(ids);
    expect([told.gaps, told.errors, told.state]).toEqual([[], [], 'connected']);
  }
}

describe('eight tabs', () => {
  test('have one stream', async () => {
    const before = await streamsOpened(server);
    // Eight pages that load at once on a busy machine are slow to answer each other.
    const tabs = await Promise.all(Array.from({ length: 8 }, () => open({ heartbeat: 30_000 })));
    expect(await Promise.all(tabs.map((tab) => tab.follow('eight')))).toEqual(Array(8).fill('ready'));
    const ids = await publishNumbers(server, key, 'eight', 50);
    await expectAll(tabs, 'eight', ids);
    const opened = (await streamsOpened(server)) - before;
    console.log(`streams for 8 tabs: ${opened}`);
    expect(opened).toBe(1);
  });

  test('work where HTTP/1.1 has six connections, and without sharing do not', async () => {
    const options = { transports: ['sse'], openTimeout: 5000 };
    const within = (limit: number, ready: Promise<string>) => {
      const waited = new Promise<string>((resolve) => setTimeout(() => resolve('nothing'), limit));
      return Promise.race([ready, waited]);
    };
    const before = await streamsOpened(server);
    const shared: string[] = [];
    const tabs: Tab[] = [];
    for (let n = 0; n < 8; n += 1) {
      const tab = await open(options);
      tabs.push(tab);
      shared.push(await within(20_000, tab.follow('six')));
    }
    const ids = await publishNumbers(server, key, 'six', 5);
    await expectAll(tabs, 'six', ids);
    expect(shared).toEqual(Array(8).fill('ready'));
    expect((await streamsOpened(server)) - before).toBe(1);
    await newBrowser();
    const alone: string[] = [];
    for (let n = 0; n < 8; n += 1) {
      const tab = await open({ ...options, tabs: false });
      // The first six are to have one, however slowly; the others would have to wait for ever.
      alone.push(await within(n < 6 ? 20_000 : 3000, tab.follow('six')));
    }
    console.log(`ready with sharing: ${shared.join(' ')}; without: ${alone.join(' ')}`);
    expect(alone.slice(0, 6)).toEqual(Array(6).fill('ready'));
    expect(alone[7]).toBe('nothing');
  });
});

describe('the leader', () => {
  /**
   * Lets leaders go in some way, one after the other, while events flow. When one goes there are events on its stream
   * that no tab has: in every second round they reach it while it goes, in the others they are lost with it.
   */
  async function rounds(channel: string, count: number, go: (leader: Tab) => Promise<void>): Promise<void> {
    const options = { url: proxy.url };
    const tabs = [await open(options), await open(options), await open(options)];
    await Promise.all(tabs.map((tab) => tab.follow(channel)));
    const load = new Load(channel);
    const inFlight: number[] = [];
    const took: number[] = [];
    try {
      for (let round = 0; round < count; round += 1) {
        const leader = await leaderOf(tabs);
        tabs.splice(tabs.indexOf(leader), 1);
        await until('events', async () => (await (tabs[0] as Tab).count(channel)) > 0);
        const passed = proxy.passed;
        const release = proxy.hold();
        try {
          await load.more();
          await until('an event on its way', async () => proxy.passed > passed);
          const published = load.ids.length;
          const told = await Promise.all([leader, ...tabs].map((tab) => tab.count(channel)));
          inFlight.push(published - Math.max(...told));
          const begun = Date.now();
          if (round % 2 === 0) release();
          await go(leader);
          release();
          await leaderOf(tabs);
          took.push(Date.now() - begun);
        } finally {
          release();
        }
        const next = await open(options);
        await next.follow(channel);
        tabs.push(next);
      }
    } finally {
      await load.stop();
    }
    await expectAll(tabs, channel, load.ids);
    console.log(
      `leaders that went: ${count}; events that no tab had by then: ${inFlight.join(' ')}; ms: ${took.join(' ')}`,
    );
    expect(inFlight.length).toBe(count);
    for (const events of inFlight) expect(events).toBeGreaterThan(0);
  }

  test('is closed twenty times while events flow: nothing is lost or doubled', async () => {
    await rounds('closed', 20, ({ page }) => page.close());
  }, 300_000);

  test('crashes while events flow', async () => {
    await rounds('crashed', 4, async ({ page }) => {
      const session = await page.context().newCDPSession(page);
      session.send('Page.crash').catch(() => {});
      await new Promise((resolve) => page.once('crash', resolve));
      await page.close();
    });
  }, 180_000);

  test('that hangs is robbed, and follows when it is back', async () => {
    const tabs = [await open(), await open(), await open()];
    await Promise.all(tabs.map((tab) => tab.follow('hung')));
    const leader = await leaderOf(tabs);
    const others = tabs.filter((tab) => tab !== leader);
    const load = new Load('hung');
    const goOn = await browser.hang(leader.page);
    const begun = Date.now();
    const before = load.ids.length;
    await leaderOf(others);
    const robbed = Date.now() - begun;
    await load.more();
    const meanwhile = load.ids.length - before;
    await goOn();
    await load.stop();
    await expectAll(tabs, 'hung', load.ids);
    console.log(`robbed after ${robbed} ms; events published while it hung: ${meanwhile}`);
    expect(meanwhile).toBeGreaterThan(0);
  });

  test('that is put away hands over, and joins again', async () => {
    const tabs = [await open(), await open()];
    await Promise.all(tabs.map((tab) => tab.follow('away')));
    const leader = await leaderOf(tabs);
    const others = tabs.filter((tab) => tab !== leader);
    // Headless Chromium freezes no page, so that the page is told of it as a browser would.
    await leader.page.evaluate("document.dispatchEvent(new Event('freeze'))");
    await leaderOf(others);
    const ids = await publishNumbers(server, key, 'away', 10);
    await expectAll(others, 'away', ids);
    expect((await leader.told()).state).toBe('idle');
    await leader.page.evaluate("document.dispatchEvent(new Event('resume'))");
    await expectAll(tabs, 'away', ids);
  });
});

describe('two users', () => {
  test('do not share, whatever they follow', async () => {
    const before = await streamsOpened(server);
    const [ann, bob] = [await server.key(['subscribe:ann:*']), await server.key(['subscribe:bob:*'])];
    const hers = [await open({ token: ann.key, tabs: 'ann' }), await open({ token: ann.key, tabs: 'ann' })];
    const his = [await open({ token: bob.key, tabs: 'bob' }), await open({ token: bob.key, tabs: 'bob' })];
    expect(await Promise.all(hers.map((tab) => tab.follow('ann:1')))).toEqual(['ready', 'ready']);
    expect(await Promise.all(his.map((tab) => tab.follow('bob:1')))).toEqual(['ready', 'ready']);
    expect(await his[1]?.follow('ann:1')).toBe('forbidden_channel');
    expect((await streamsOpened(server)) - before).toBeGreaterThanOrEqual(2);
    const ids = await publishNumbers(server, key, 'ann:1', 3);
    await expectAll(hers, 'ann:1', ids);
    expect((await his[1]?.told())?.ids['ann:1']).toEqual([]);
  });
});
