// Tabs of a browser in memory, each with a client that shares.

import { expect } from 'vitest';
import { type Client, type ClientOptions, createClient, type Subscription } from '../../src/index.ts';
import { idOf, isOn } from '../model/fake-server.ts';
import { settle } from '../support/clock.ts';
import { Collector } from '../support/collector.ts';
import { random } from '../support/random.ts';
import { FakeBrowser, type Page } from './fake-browser.ts';

/** One sixth of it passes between two questions whether the leader lives. */
export const HEARTBEAT = 6000;

const isLoud = process.env['TIDINGS_MODEL_LOUD'] !== undefined;

function tell(name: string, from: string, to: string, ...words: unknown[]): void {
  console.log(`${name}: ${from} → ${to}`, ...words.map((word) => JSON.stringify(word)));
}

/** A subscription of a tab, and what it is told. */
export interface Followed {
  readonly channels: readonly string[];
  readonly since: number | null;
  readonly seen: Collector;
  readonly subscription: Subscription;
  isReady: boolean;
  /** The log's length when it was known to be live. */
  readyAt: number;
}

/** A tab. */
export class Tab {
  readonly page: Page;
  readonly client: Client;
  readonly world: TabsWorld;
  followed: Followed[] = [];

  constructor(world: TabsWorld, name: string, options: ClientOptions) {
    this.world = world;
    this.page = world.browser.page(name);
    this.client = createClient({
      url: 'http://server.test',
      transports: [this.page.transport],
      linger: 1000,
      heartbeat: HEARTBEAT,
      tabs: true,
      ...(isLoud && { trace: ({ input, from, to, effects }) => tell(name, from, to, input, effects) }),
      ...options,
      environment: { ...this.page.environment(world.numbers), ...options.environment },
    });
  }

  follow(channels: readonly string[], since: number | null = null): Followed {
    const seen = new Collector();
    const place = since === null ? 'now' : since === 0 ? 'start' : idOf(since);
    const subscription = this.client.subscribe({ channels, since: place }, seen);
    const one: Followed = { channels, since, seen, subscription, isReady: false, readyAt: Number.POSITIVE_INFINITY };
    subscription.ready.then(
      () => {
        one.isReady = true;
        one.readyAt = this.world.browser.server.head;
      },
      () => {},
    );
    this.followed.push(one);
    return one;
  }

  get isLeading(): boolean {
    return this.world.browser.locks.holder(']') === this.page;
  }
}

/** A browser with tabs. */
export class TabsWorld {
  readonly browser = new FakeBrowser();
  readonly numbers: () => number;
  tabs: Tab[] = [];
  #names = 0;

  constructor(numbers: () => number = random(1).next) {
    this.numbers = numbers;
  }

  open(options: ClientOptions = {}): Tab {
    this.#names += 1;
    const tab = new Tab(this, `tab ${this.#names}`, options);
    this.tabs.push(tab);
    return tab;
  }

  close(tab: Tab): void {
    tab.client.close();
    this.tabs = this.tabs.filter((other) => other !== tab);
  }

  crash(tab: Tab): void {
    tab.page.crash();
    this.tabs = this.tabs.filter((other) => other !== tab);
  }

  get leader(): Tab {
    const found = this.tabs.find(({ isLeading }) => isLeading);
    if (found === undefined) throw new Error('nobody leads');
    return found;
  }

  /** Lets everything pass that is on its way between tabs. */
  async deliver(): Promise<void> {
    await settle();
    for (let ready = this.browser.ready; ready.length > 0; ready = this.browser.ready) {
      for (const { tasks } of ready) tasks.shift()?.();
      await settle();
    }
  }

  /** Lets everything pass that is on its way. */
  async flow(turns = 8): Promise<void> {
    const { browser } = this;
    for (let turn = 0; turn < turns; turn += 1) {
      await this.deliver();
      for (const answer of browser.server.answers.splice(0)) answer(false);
      await settle();
      for (const session of browser.sessions) {
        session.read();
        for (const say of session.out.splice(0)) say();
      }
    }
    await settle();
  }

  async pass(milliseconds: number): Promise<void> {
    for (let left = milliseconds; left > 0; left -= 500) {
      await this.browser.clock.pass(Math.min(500, left));
      for (const session of this.browser.sessions) session.heartbeat();
      await this.flow(2);
    }
  }

  /** What a subscription should have had and what it has. */
  check(one: Followed, isFinal: boolean, said: string): void {
    const expected = this.browser.server.log.filter((event) => isOn(event, one.channels)).map(({ id }) => id);
    const { ids } = one.seen;
    expect(new Set(ids).size, `${said}: doubled`).toBe(ids.length);
    expect(one.seen.gaps, `${said}: gaps`).toEqual([]);
    expect(ids, `${said}: order`).toEqual([...ids].sort());
    if (one.since !== null) {
      const due = expected.filter((id) => id > idOf(one.since ?? 0));
      expect(ids, `${said}: a hole`).toEqual(due.slice(0, ids.length));
      if (isFinal) expect(ids.length, `${said}: lost`).toBe(due.length);
      return;
    }
    if (one.channels.length === 1 && isFinal) {
      expect(ids, `${said}: a hole`).toEqual(expected.slice(expected.length - ids.length));
    }
    if (!isFinal || !one.isReady) return;
    const has = new Set(ids);
    for (const id of expected) if (id > idOf(one.readyAt)) expect(has.has(id), `${said}: lost ${id}`).toBe(true);
  }
}
