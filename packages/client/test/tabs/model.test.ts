// Tabs that open, close, crash, freeze and come back in random orders, while events flow: what every subscription is given.

import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { settle } from '../support/clock.ts';
import { random } from '../support/random.ts';
import { HEARTBEAT, type Tab, TabsWorld } from './world.ts';

const CHANNELS = ['a', 'b', 'c', 'a:1'];
const PATTERNS = [...CHANNELS, 'a:*', '*'];
const SEEDS = Number(process.env['TIDINGS_MODEL_SEEDS'] ?? 600);
const FIRST = Number(process.env['TIDINGS_TEST_SEED'] ?? 1);

const struck = {
  'leader closed, events in flight': 0,
  'leader crashed, events in flight': 0,
  'leader frozen without a word': 0,
  'leader put away': 0,
  'lock stolen': 0,
  'two connections during a theft': 0,
  'tab closed': 0,
  'tab crashed': 0,
  'tab frozen': 0,
  'stream cut': 0,
  'message lost': 0,
  'time of day set back': 0,
};

/** Whether something is on its way to a tab, or to the leader. */
function isBusy(world: TabsWorld): boolean {
  return world.browser.ready.length > 0 || world.browser.sessions.some(({ out }) => out.length > 0);
}

function checkConnections(world: TabsWorld, said: string): void {
  const { server, owners } = world.browser;
  const owned = server.open.map((session) => owners.get(session));
  expect(owned.filter((page) => !page?.isRobbed).length, `${said}: connections`).toBeLessThanOrEqual(1);
  if (owned.length > 1) struck['two connections during a theft'] += 1;
}

async function walk(seed: number): Promise<void> {
  const numbers = random(seed);
  const world = new TabsWorld(random(seed + 1_000_000).next);
  const { browser } = world;
  const { server, clock } = browser;
  let setBack = 0;
  vi.spyOn(Date, 'now').mockImplementation(() => clock.now - setBack);
  browser.isLost = () => {
    const isLost = numbers.chance(0.01);
    if (isLost) struck['message lost'] += 1;
    return isLost;
  };
  const away = new Set<Tab>();

  const crash = (tab: Tab) => {
    const kind = tab.isLeading ? (isBusy(world) ? 'leader crashed, events in flight' : undefined) : 'tab crashed';
    if (kind !== undefined) struck[kind] += 1;
    away.delete(tab);
    world.crash(tab);
  };
  const acts: readonly (readonly [number, () => void | Promise<void>])[] = [
    [8, () => void server.publish(numbers.pick(CHANNELS), numbers.chance(0.3) ? [numbers.pick(CHANNELS)] : [])],
    [
      3,
      () => {
        // Half of them remember next to nothing, so that streams must begin again.
        const recentLimit = seed % 2 === 0 ? 256 : 2;
        if (world.tabs.length < 5) world.open({ recentLimit }).follow([numbers.pick(PATTERNS)]);
      },
    ],
    [
      4,
      () => {
        const tab = numbers.pick(world.tabs);
        if (tab === undefined || tab.followed.length > 3 || tab.page.isFrozen || away.has(tab)) return;
        const channels = [...new Set([numbers.pick(PATTERNS), numbers.pick(PATTERNS)])];
        tab.follow(channels, numbers.chance(0.5) ? null : numbers.below(server.head + 1));
      },
    ],
    [
      1,
      () => {
        const tab = numbers.pick(world.tabs);
        if (tab === undefined || tab.page.isFrozen) return;
        const one = tab.followed.splice(numbers.below(tab.followed.length), 1)[0];
        one?.subscription.close();
        if (one !== undefined) world.check(one, false, `seed ${seed}, closed`);
      },
    ],
    [
      1,
      () => {
        const tab = numbers.chance(0.5) ? world.tabs.find(({ isLeading }) => isLeading) : numbers.pick(world.tabs);
        if (tab === undefined || tab.page.isFrozen) return;
        if (!tab.isLeading) struck['tab closed'] += 1;
        else if (isBusy(world)) struck['leader closed, events in flight'] += 1;
        away.delete(tab);
        world.close(tab);
      },
    ],
    [
      1,
      () => {
        const tab = numbers.chance(0.5) ? world.tabs.find(({ isLeading }) => isLeading) : numbers.pick(world.tabs);
        if (tab !== undefined) crash(tab);
      },
    ],
    [
      2,
      () => {
        const tab = numbers.chance(0.5) ? world.tabs.find(({ isLeading }) => isLeading) : numbers.pick(world.tabs);
        if (tab === undefined || tab.page.isFrozen || away.has(tab)) return;
        if (numbers.chance(0.5)) {
          struck[tab.isLeading ? 'leader frozen without a word' : 'tab frozen'] += 1;
          tab.page.freeze();
        } else {
          if (tab.isLeading) struck['leader put away'] += 1;
          away.add(tab);
          tab.page.signal('frozen');
        }
      },
    ],
    [
      2,
      () => {
        const tab = numbers.pick(world.tabs.filter(({ page }) => page.isFrozen));
        tab?.page.thaw();
        const [back] = away;
        if (back === undefined) return;
        away.delete(back);
        back.page.signal('visible');
      },
    ],
    [
      1,
      () => {
        const session = browser.sessions[0];
        if (session === undefined) return;
        struck['stream cut'] += 1;
        session.cut();
      },
    ],
    [3, () => clock.pass(numbers.below(HEARTBEAT / 3))],
    [1, () => (numbers.chance(0.4) ? world.pass(HEARTBEAT) : undefined)],
    [1, () => server.answers.shift()?.(numbers.chance(0.1))],
    [
      1,
      () => {
        if (!numbers.chance(0.1)) return;
        struck['time of day set back'] += 1;
        setBack += 100_000;
      },
    ],
    [2, () => browser.sessions[0]?.heartbeat()],
    [
      8,
      () => {
        for (const session of browser.sessions) {
          session.read();
          for (let left = 1 + numbers.below(4); left > 0; left -= 1) session.out.shift()?.();
        }
      },
    ],
    [
      12,
      async () => {
        for (let left = 1 + numbers.below(12); left > 0; left -= 1) {
          numbers.pick(browser.ready)?.tasks.shift()?.();
          await settle();
        }
      },
    ],
  ];
  const total = acts.reduce((sum, [weight]) => sum + weight, 0);
  for (let step = 0; step < 150; step += 1) {
    let left = numbers.below(total);
    for (const [weight, act] of acts) {
      left -= weight;
      if (left >= 0) continue;
      await act();
      break;
    }
    await settle();
    const said = `seed ${seed} step ${step}`;
    checkConnections(world, said);
    for (const { followed } of world.tabs) for (const one of followed) world.check(one, false, said);
  }
  // Everybody is back, and everything passes until nothing comes any more.
  browser.isLost = () => false;
  for (const tab of world.tabs) tab.page.thaw();
  for (const tab of away) tab.page.signal('visible');
  await world.flow();
  await world.pass(4 * HEARTBEAT);
  server.publish('a', []);
  await world.flow();
  struck['lock stolen'] += browser.steals;
  for (const tab of world.tabs) {
    for (const one of tab.followed) {
      world.check(one, true, `seed ${seed} at the end`);
      expect(one.isReady, `seed ${seed}: ready`).toBe(true);
    }
    if (tab.followed.length > 0) expect(tab.client.status.state, `seed ${seed}: status`).toBe('connected');
  }
  checkConnections(world, `seed ${seed} at the end`);
  for (const tab of [...world.tabs]) world.close(tab);
  await world.flow();
  const leaks = [server.open.length, clock.pending, browser.locks.size, browser.channels.size];
  expect(leaks, `seed ${seed}: leaks`).toEqual([0, 0, 0, 0]);
  vi.restoreAllMocks();
}

// What is loaded when it is first needed takes real time.
beforeAll(async () => {
  await Promise.all([
    import('../../src/driver.ts'),
    import('../../src/requests.ts'),
    import('../../src/tabs/index.ts'),
  ]);
});

describe('random orders', () => {
  const shares = 10;
  for (let share = 0; share < shares; share += 1) {
    test(`nothing is lost, doubled or out of order in any tab (${share + 1} of ${shares})`, async () => {
      for (let n = share; n < SEEDS; n += shares) await walk(FIRST + n);
    }, 300_000);
  }
  afterAll(() => {
    console.log(`struck in ${SEEDS} walks: ${JSON.stringify(struck)}`);
    for (const [fault, times] of Object.entries(struck)) expect(times, fault).toBeGreaterThan(0);
  });
});
