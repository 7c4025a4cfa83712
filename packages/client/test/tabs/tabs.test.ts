// Tabs in a browser in memory: election, takeover, terms, theft, gone tabs, and where they begin anew.

import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Event, TidingsError } from '../../src/index.ts';
import { settle } from '../support/clock.ts';
import { random } from '../support/random.ts';
import { HEARTBEAT, type Tab, TabsWorld } from './world.ts';

// What is loaded when it is first needed takes real time.
beforeAll(async () => {
  await Promise.all([
    import('../../src/driver.ts'),
    import('../../src/requests.ts'),
    import('../../src/tabs/index.ts'),
    import('../../src/snapshot.ts'),
  ]);
});

let world: TabsWorld;
beforeEach(() => {
  world = new TabsWorld();
  vi.spyOn(Date, 'now').mockImplementation(() => world.browser.clock.now);
});
afterEach(async () => {
  for (const tab of [...world.tabs]) world.close(tab);
  await world.flow();
  const { server, clock, locks, channels } = world.browser;
  const left = { streams: server.open.length, timers: clock.pending, locks: locks.size, channels: channels.size };
  vi.restoreAllMocks();
  expect(left).toEqual({ streams: 0, timers: 0, locks: 0, channels: 0 });
});

const publish = (channel: string) => world.browser.server.publish(channel, []).id;
const streams = () => world.browser.server.open.length;

async function openTabs(count: number, channel = 'a'): Promise<Tab[]> {
  const tabs: Tab[] = [];
  for (let n = 0; n < count; n += 1) {
    const tab = world.open();
    tab.follow([channel]);
    await world.flow();
    tabs.push(tab);
  }
  return tabs;
}

/** Cuts the stream, and has the server refuse every other until this is restored. */
function refuseAll() {
  const { server } = world.browser;
  const attempts = vi.spyOn(server.transport, 'open').mockImplementation((_, host) => {
    host.closed({ kind: 'auth', code: 'unauthenticated' });
    return { change: () => Promise.reject(), renew: async () => {}, close: () => {} };
  });
  for (const session of server.open) session.cut();
  return attempts;
}

describe('one connection', () => {
  test('carries what all tabs follow, each its own', async () => {
    const [first, second, third] = [world.open(), world.open(), world.open()];
    const [a, b, both] = [first.follow(['a']), second.follow(['b']), third.follow(['a', 'b'])];
    await world.flow();
    expect([a.isReady, b.isReady, both.isReady]).toEqual([true, true, true]);
    const ids = [publish('a'), publish('b'), publish('c')];
    await world.flow();
    expect(streams()).toBe(1);
    expect([a.seen.ids, b.seen.ids, both.seen.ids]).toEqual([[ids[0]], [ids[1]], [ids[0], ids[1]]]);
    expect(world.tabs.map(({ client }) => client.status.state)).toEqual(['connected', 'connected', 'connected']);
  });

  test('types and categories are each tab’s own', async () => {
    const [first, second] = [world.open(), world.open()];
    const seen: string[] = [];
    first.client.subscribe({ channels: 'a', types: ['u'] }, (event) => void seen.push(event.id));
    const all = second.follow(['a']);
    await world.flow();
    publish('a');
    await world.flow();
    expect([seen.length, all.seen.ids.length]).toEqual([0, 1]);
  });

  test('a thousand subscriptions of a tab to one channel are told an event in one message', async () => {
    const [, second] = await openTabs(2);
    const many = Array.from({ length: 1000 }, () => second?.follow(['b']));
    await world.flow();
    const before = world.browser.posted;
    publish('b');
    await world.flow();
    expect(many.every((one) => one?.seen.ids.length === 1)).toBe(true);
    expect(world.browser.posted - before).toBeLessThanOrEqual(2);
  });

  test('one that is closed is not told any more, and the last one ends the channel', async () => {
    const [, second] = await openTabs(2);
    const [one, other] = [second?.follow(['b']), second?.follow(['b'])];
    await world.flow();
    one?.subscription.close();
    publish('b');
    await world.flow();
    expect([one?.seen.ids.length, other?.seen.ids.length]).toEqual([0, 1]);
    other?.subscription.close();
    await world.flow();
    await world.pass(HEARTBEAT);
    publish('b');
    const before = world.browser.posted;
    await world.flow();
    expect(world.browser.posted).toBe(before);
  });

  test('different names, servers and credentials have connections of their own', async () => {
    const given = [{}, { tabs: 'ann' }, { tabs: 'bob' }, { tabs: 'true' }, { url: 'http://other.test' }];
    // The last is what the first has without saying so: these two share.
    const credentials = (['same-origin', 'include'] as const).map((credentials) => ({ credentials }));
    const all = [...given, ...credentials].map((options) => world.open(options).follow(['a']));
    await world.flow();
    expect(all.every(({ isReady }) => isReady)).toBe(true);
    expect(streams()).toBe(6);
  });

  test('without locks, channels or a page, and with `auth` but no name, each has its own', async () => {
    const reported: unknown[] = [];
    const report = (error: unknown) => reported.push(error);
    const own = [
      { environment: { locks: undefined } },
      { environment: { BroadcastChannel: undefined } },
      { environment: { origin: undefined } },
      { auth: 'token', environment: { report } },
    ];
    const all = own.map((options) => world.open(options).follow(['a']));
    await world.flow();
    expect([all.every(({ isReady }) => isReady), streams(), reported.length]).toEqual([true, 4, 1]);
    expect(world.browser.channels.size).toBe(0);
  });

  test('where locks are refused each has its own', async () => {
    const locks = { request: () => Promise.reject(Object.assign(new Error(), { name: 'SecurityError' })) };
    const all = [world.open({ environment: { locks } }), world.open({ environment: { locks } })];
    const seen = all.map((tab) => tab.follow(['a']));
    await world.flow();
    expect([seen.every(({ isReady }) => isReady), streams()]).toEqual([true, 2]);
  });

  test('200 tabs share; the next has its own', async () => {
    for (let n = 0; n < 201; n += 1) world.open().follow(['a']);
    await world.flow(4);
    expect(world.tabs.every(({ followed }) => followed[0]?.isReady)).toBe(true);
    expect(streams()).toBe(2);
  });

  test('a refused channel is refused in each tab', async () => {
    const [first, second] = await openTabs(2);
    const some = second?.follow(['b', 'no']);
    const only = second?.follow(['no']);
    const other = first?.follow(['no']);
    await world.flow();
    const codes = [some, only, other].map((one) => one?.seen.errors.map((error) => (error as TidingsError).channel));
    expect(codes).toEqual([['no'], ['no'], ['no']]);
    expect([some?.isReady, only?.isReady, other?.isReady]).toEqual([true, false, false]);
    const id = publish('b');
    publish('no');
    await world.flow();
    expect([some?.seen.ids, only?.seen.ids]).toEqual([[id], []]);
    await expect(only?.subscription.ready).rejects.toMatchObject({ code: 'forbidden_channel' });
    // It is not asked for again.
    world.crash(world.leader);
    await world.flow();
    expect(some?.seen.errors).toHaveLength(1);
  });
});

describe('the leader', () => {
  test('that is closed hands over: nothing is lost, doubled or out of order', async () => {
    const tabs = await openTabs(4);
    for (let round = 0; round < 3; round += 1) {
      const ids = [publish('a'), publish('a')];
      // One is on its way to the tabs, one has not left the server.
      world.close(world.leader);
      ids.push(publish('a'));
      await world.flow();
      expect(streams()).toBe(1);
      for (const { followed } of world.tabs) expect(followed[0]?.seen.ids.slice(-3)).toEqual(ids);
    }
    for (const { followed } of tabs) for (const one of followed) world.check(one, false, 'at the end');
  });

  test('that crashes is followed by another, from where each tab is', async () => {
    await openTabs(4);
    publish('a');
    await world.flow();
    const [session] = world.browser.sessions;
    const ids = [publish('a'), publish('a'), publish('a')];
    session?.read();
    // Some tabs have been told of it, some have not.
    for (const say of session?.out.splice(0) ?? []) say();
    await settle();
    world.browser.ready[0]?.tasks.shift()?.();
    world.crash(world.leader);
    await world.flow();
    for (const { followed, client } of world.tabs) {
      expect(followed[0]?.seen.ids.slice(-3)).toEqual(ids);
      expect(client.status.state).toBe('connected');
    }
  });

  test('changes without a word to those who only watch the status', async () => {
    const [, second] = await openTabs(3);
    const told: string[] = [];
    second?.client.onStatus(({ state }) => told.push(state));
    world.close(world.leader);
    await world.flow();
    expect(told).toEqual([]);
  });

  test('what a leader said that is gone, and comes late, is dropped', async () => {
    await openTabs(3);
    const second = world.tabs[2] as Tab;
    publish('a');
    const [session] = world.browser.sessions;
    session?.read();
    for (const say of session?.out.splice(0) ?? []) say();
    await settle();
    // Its words are on their way, and wait there.
    const held = world.browser.ready.filter(({ page }) => page === second.page).flatMap(({ tasks }) => tasks.splice(0));
    expect(held.length).toBeGreaterThan(0);
    world.crash(world.leader);
    await world.flow();
    for (const task of held) task();
    await world.flow();
    expect(second.followed[0]?.seen.ids).toHaveLength(1);
  });

  test('that is frozen without a word is robbed, and follows when it is back', async () => {
    await openTabs(3);
    const frozen = world.leader;
    publish('a');
    await world.flow();
    frozen.page.freeze();
    publish('a');
    await world.pass(HEARTBEAT);
    // Two that have waited may do it at once.
    expect([1, 2]).toContain(world.browser.steals);
    expect(world.leader).not.toBe(frozen);
    const third = publish('a');
    await world.flow();
    for (const { followed, page } of world.tabs) if (page.runs) expect(followed[0]?.seen.ids.at(-1)).toBe(third);
    frozen.page.thaw();
    await world.flow();
    publish('a');
    await world.flow();
    expect(streams()).toBe(1);
    for (const { followed } of world.tabs) expect(followed[0]?.seen.ids).toHaveLength(4);
  });

  test('that has said that it is frozen hands over at once', async () => {
    await openTabs(3);
    const away = world.leader;
    away.page.signal('frozen');
    away.page.freeze();
    const ids = [publish('a'), publish('a')];
    await world.flow();
    expect([streams(), world.browser.steals, away.client.status.state]).toEqual([1, 0, 'idle']);
    away.page.thaw();
    away.page.signal('visible');
    await world.flow();
    for (const { followed } of world.tabs) expect(followed[0]?.seen.ids).toEqual(ids);
    expect(away.client.status.state).toBe('connected');
  });

  test('a tab that was asleep itself does not rob', async () => {
    const [, second] = await openTabs(2);
    second?.page.freeze();
    await world.pass(10 * HEARTBEAT);
    second?.page.thaw();
    await world.pass(2 * HEARTBEAT);
    expect(world.browser.steals).toBe(0);
  });

  test('the lock may be given to a page that is frozen', async () => {
    await openTabs(4);
    const [first, second] = world.tabs;
    second?.page.freeze();
    world.close(first as Tab);
    await world.pass(HEARTBEAT);
    publish('a');
    await world.flow();
    expect(world.tabs[2]?.followed[0]?.seen.ids).toHaveLength(1);
    second?.page.thaw();
    await world.flow();
    expect(second?.followed[0]?.seen.ids).toHaveLength(1);
    expect(streams()).toBe(1);
  });

  test('leads although the time of day was set back', async () => {
    await openTabs(3);
    vi.spyOn(Date, 'now').mockImplementation(() => 5);
    const late = world.open();
    world.close(world.leader);
    late.follow(['a']);
    await world.flow();
    const next = world.leader;
    world.close(next);
    await world.flow();
    publish('a');
    await world.pass(HEARTBEAT);
    for (const { followed } of world.tabs) expect(followed[0]?.seen.ids).toHaveLength(1);
    expect(world.browser.steals).toBe(0);
  });
});

describe('where a tab begins anew', () => {
  test('what was ready has a position, though nothing came', async () => {
    await openTabs(2);
    const quiet = world.tabs[1]?.follow(['q']);
    await world.flow();
    expect(quiet?.isReady).toBe(true);
    world.crash(world.leader);
    const id = publish('q');
    await world.flow();
    expect(quiet?.seen.ids).toEqual([id]);
  });

  test('a quiet subscription moves with the stream’s heartbeats', async () => {
    await openTabs(1);
    const tab = world.open();
    const quiet = tab.follow(['q']);
    await world.flow();
    for (let n = 0; n < 50; n += 1) publish('a');
    await world.pass(1000);
    const asked: string[] = [];
    const { transport } = world.browser.server;
    vi.spyOn(transport, 'open').mockImplementation((ask) => {
      asked.push(ask.since);
      throw new Error('seen');
    });
    world.crash(world.leader);
    await world.flow();
    vi.mocked(transport.open).mockRestore();
    expect(asked[0]).toBe(world.browser.server.headId);
    expect(quiet.seen.ids).toEqual([]);
    await world.pass(2000);
  });

  test('where the stream has begun again for it, not where the stream was before', async () => {
    const [first, second] = [world.open({ recentLimit: 1 }), world.open({ recentLimit: 1 })];
    first.follow(['a']);
    await world.flow();
    second.follow(['a']);
    await world.flow();
    const ids = [publish('b'), publish('b'), publish('b')];
    for (let n = 0; n < 3; n += 1) publish('a');
    await world.pass(1000);
    const past = second.follow(['b'], 0);
    await world.deliver();
    // The stream begins again, and says no more than that.
    const [session] = world.browser.sessions;
    session?.out.shift()?.();
    await world.deliver();
    expect([past.isReady, past.seen.ids]).toEqual([true, []]);
    world.crash(world.leader);
    await world.flow();
    expect(past.seen.ids).toEqual(ids);
  });

  test('several tabs from several positions, on one channel', async () => {
    await openTabs(2);
    const ids = Array.from({ length: 6 }, () => publish('a'));
    const [, second] = world.tabs;
    const third = world.open();
    const fourth = world.open();
    const [early, later, all] = [third.follow(['a'], 4), fourth.follow(['a'], 2), second?.follow(['a'], 0)];
    await world.flow();
    world.crash(world.leader);
    ids.push(publish('a'));
    await world.flow();
    expect([early.seen.ids, later.seen.ids, all?.seen.ids]).toEqual([ids.slice(4), ids.slice(2), ids]);
  });

  test('a lost message is a hole, and a hole is asked for', async () => {
    await openTabs(2);
    const numbers = random(7);
    let lost = 0;
    world.browser.isLost = (text) => {
      const isLost = text.includes('"event"') && numbers.chance(0.5);
      if (isLost) lost += 1;
      return isLost;
    };
    const ids: string[] = [];
    for (let n = 0; n < 40; n += 1) {
      ids.push(publish('a'));
      await world.flow(2);
    }
    world.browser.isLost = () => false;
    ids.push(publish('a'));
    await world.flow();
    console.log(`messages lost: ${lost}`);
    expect(lost).toBeGreaterThan(5);
    for (const { followed } of world.tabs) expect(followed[0]?.seen.ids).toEqual(ids);
  });

  test('a tab that takes nothing is dropped, and goes on where it is', async () => {
    const [, second] = await openTabs(2);
    second?.page.freeze();
    const ids: string[] = [];
    for (let n = 0; n < 12_000; n += 1) {
      ids.push(publish('a'));
      if (n % 400 === 399) await world.flow(1);
    }
    await world.flow();
    const posted = world.browser.posted;
    for (let n = 0; n < 10; n += 1) ids.push(publish('a'));
    await world.flow();
    expect(world.browser.posted).toBe(posted);
    second?.page.thaw();
    await world.flow();
    expect(second?.followed[0]?.seen.ids).toEqual(ids);
  });
});

describe('what tabs have in common', () => {
  test('a leader whose timers the browser slows does what is due when others speak', async () => {
    const tabs = await openTabs(2);
    world.leader.page.isSlow = true;
    await world.pass(1000);
    for (const session of world.browser.server.open) session.cut();
    const id = publish('a');
    await world.flow();
    expect(tabs[1]?.client.status.state).toBe('reconnecting');
    await world.pass(4000);
    for (const { client, followed } of tabs) {
      expect([client.status.state, followed[0]?.seen.ids]).toEqual(['connected', [id]]);
    }
  });

  test('a snapshot is the tab’s own, on the shared connection', async () => {
    const [, second] = await openTabs(2);
    const ids = [publish('r'), publish('r')];
    await world.flow();
    const response = {
      ...{ ok: true, status: 200, body: null },
      headers: { get: (name: string) => (name === 'tidings-cursor' ? (ids[0] ?? '') : null) },
      json: async () => 'record',
      text: async () => '',
    };
    const seen: unknown[] = [];
    const listeners = {
      onSnapshot: (value: unknown) => void seen.push(value),
      onEvent: ({ id }: Event) => void seen.push(id),
    };
    second?.client.snapshot(async () => response, 'r', listeners);
    await world.flow();
    ids.push(publish('r'));
    await world.flow();
    expect([seen, streams()]).toEqual([['record', ids[1], ids[2]], 1]);
  });

  test('the connection rests when all are hidden, and wakes with one', async () => {
    const tabs = await openTabs(3);
    for (const { page } of tabs.slice(0, 2)) page.signal('hidden');
    await world.flow();
    await world.pass(310_000);
    expect(streams()).toBe(1);
    tabs[2]?.page.signal('hidden');
    await world.flow();
    await world.pass(310_000);
    expect([streams(), tabs[1]?.client.status.state]).toEqual([0, 'idle']);
    publish('a');
    tabs[1]?.page.signal('visible');
    await world.flow();
    expect(streams()).toBe(1);
    for (const { followed } of tabs) expect(followed[0]?.seen.ids).toHaveLength(1);
  });

  test('a hidden tab that is gone does not count, and its channels are left', async () => {
    const tabs = await openTabs(2);
    const third = world.open();
    third.follow(['c']);
    await world.flow();
    for (const { page } of tabs) page.signal('hidden');
    await world.flow();
    world.crash(third);
    await world.flow();
    await world.pass(310_000);
    expect(streams()).toBe(0);
  });

  test('the status, and `reconnect` of any', async () => {
    const tabs = await openTabs(3);
    const attempts = refuseAll();
    await world.flow();
    await world.pass(2000);
    for (const { client } of tabs) {
      expect(client.status).toMatchObject({ state: 'refused', error: { code: 'unauthenticated' } });
    }
    attempts.mockRestore();
    const id = publish('a');
    tabs[2]?.client.reconnect();
    await world.flow();
    for (const { client, followed } of tabs) {
      expect([client.status.state, followed[0]?.seen.ids]).toEqual(['connected', [id]]);
    }
  });

  test('a tab that begins has a refused connection tried again, for all', async () => {
    const tabs = await openTabs(2);
    const attempts = refuseAll();
    await world.flow();
    await world.pass(2000);
    expect(tabs.map(({ client }) => client.status.state)).toEqual(['refused', 'refused']);
    // Somebody signs in, and opens a page.
    attempts.mockRestore();
    const opened = world.open();
    const later = opened.follow(['a']);
    await world.flow();
    await world.pass(2000);
    expect([...tabs, opened].map(({ client }) => client.status.state)).toEqual(['connected', 'connected', 'connected']);
    const id = publish('a');
    await world.flow();
    expect([later.seen.ids, tabs[0]?.followed[0]?.seen.ids]).toEqual([[id], [id]]);
  });

  test('a client that is closed within a listener is told nothing more', async () => {
    const [, second] = await openTabs(2);
    const told: string[] = [];
    second?.client.onStatus(({ state }) => told.push(state));
    second?.client.subscribe('a', () => second.client.close());
    const later = second?.follow(['a']);
    await world.flow();
    publish('a');
    await world.flow();
    expect([later?.seen.ids, told.at(-1), second?.client.status.state]).toEqual([[], 'closed', 'closed']);
  });

  test('a new history is a gap in every tab, and what follows is given', async () => {
    const tabs = await openTabs(3);
    publish('a');
    await world.flow();
    const { server } = world.browser;
    server.lineage = 2;
    server.log = [];
    for (const session of server.open) session.cut();
    await world.pass(2000);
    publish('a');
    await world.flow();
    world.crash(world.leader);
    publish('a');
    await world.flow();
    for (const tab of world.tabs) {
      const { seen } = tab.followed[0] ?? {};
      expect(seen?.order.map((id) => (id.startsWith('gap') ? id : id.slice(14)))).toEqual([
        '0000001',
        'gap:unknown',
        '0000002',
        '0000002',
      ]);
    }
    expect(tabs.length).toBe(3);
  });
});
