// The client against a server in memory, in random orders: what every subscription is given, whatever happens.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Client, createClient, type Subscription } from '../../src/index.ts';
import { Clock, settle } from '../support/clock.ts';
import { Collector } from '../support/collector.ts';
import { random } from '../support/random.ts';
import { FakeServer, idOf, isOn, type Session } from './fake-server.ts';

const CHANNELS = ['a', 'b', 'c', 'd', 'a:1', 'a:2'];
const PATTERNS = [...CHANNELS, 'a:*', '*'];
const SEEDS = Number(process.env['TIDINGS_MODEL_SEEDS'] ?? 400);
const FIRST = Number(process.env['TIDINGS_TEST_SEED'] ?? 1);

interface Followed {
  readonly channels: readonly string[];
  readonly since: number | null;
  readonly seen: Collector;
  readonly subscription: Subscription;
  isReady: boolean;
  /** The log's length when it was known to be live. */
  readyAt: number;
}

const struck = { 'begun again': 0, cut: 0, 'cut while catching up': 0, 'answer lost': 0, 'began in the past': 0 };

class World {
  readonly server = new FakeServer();
  readonly clock = new Clock();
  readonly client: Client;
  followed: Followed[] = [];

  constructor(seed: number) {
    const numbers = random(seed + 1_000_000);
    this.client = createClient({
      url: 'http://server.test',
      transports: [this.server.transport],
      linger: 1000,
      // Half of them remember next to nothing, so that streams must begin again.
      recentLimit: seed % 2 === 0 ? 256 : 2,
      trace: ({ input, from, to, effects }) => {
        if ('again' in input && effects.some(({ type }) => type === 'open')) struck['begun again'] += 1;
        if (!isLoud) return;
        const told = effects.filter(({ type }) => type !== 'event');
        console.log(from, '→', to, JSON.stringify(input), JSON.stringify(told));
      },
      environment: {
        now: () => this.clock.now,
        random: numbers.next,
        after: this.clock.after,
        watch: () => () => {},
        fetch: (() => Promise.reject(new Error('not here'))) as never,
        report: (error) => {
          throw error;
        },
      },
    });
  }

  follow(channels: readonly string[], since: number | null): void {
    const seen = new Collector();
    const place = since === null ? 'now' : since === 0 ? 'start' : idOf(since);
    const subscription = this.client.subscribe({ channels, since: place }, seen);
    const one: Followed = { channels, since, seen, subscription, isReady: false, readyAt: Number.POSITIVE_INFINITY };
    subscription.ready.then(
      () => {
        one.isReady = true;
        one.readyAt = this.server.head;
      },
      () => {},
    );
    this.followed.push(one);
  }

  /** What a subscription should have had and what it has. */
  check(one: Followed, isFinal: boolean, said: string): void {
    const expected = this.server.log.filter((event) => isOn(event, one.channels)).map(({ id }) => id);
    const { ids } = one.seen;
    expect(new Set(ids).size, `${said}: doubled`).toBe(ids.length);
    expect(one.seen.gaps, `${said}: gaps`).toEqual([]);
    if (one.since !== null) {
      const due = expected.filter((id) => id > idOf(one.since ?? 0));
      if (one.channels.length === 1) expect(ids, said).toEqual(due.slice(0, ids.length));
      if (isFinal) expect([...ids].sort(), said).toEqual(due);
      return;
    }
    // From now on: from somewhere on, without a hole; at the latest from where it was ready.
    const last = expected.slice(expected.length - ids.length);
    if (one.channels.length === 1 && isFinal) expect(ids, said).toEqual(last);
    if (!isFinal || !one.isReady) return;
    const must = expected.filter((id) => id > idOf(one.readyAt));
    for (const id of must) expect(ids, `${said}: lost`).toContain(id);
  }
}

const isLoud = process.env['TIDINGS_MODEL_LOUD'] !== undefined;

async function walk(seed: number): Promise<void> {
  const numbers = random(seed);
  const world = new World(seed);
  const { server, clock } = world;
  const pump = (session: Session, frames: number) => {
    session.read();
    for (let left = frames; left > 0; left -= 1) session.out.shift()?.();
  };
  for (let step = 0; step < 120; step += 1) {
    const session = numbers.pick(server.open);
    switch (numbers.below(12)) {
      case 0:
      case 1:
      case 2:
        server.publish(numbers.pick(CHANNELS), numbers.chance(0.4) ? [numbers.pick(CHANNELS)] : []);
        break;
      case 3: {
        const channels = [
          ...new Set([numbers.pick(PATTERNS), ...(numbers.chance(0.5) ? [numbers.pick(PATTERNS)] : [])]),
        ];
        const since = numbers.chance(0.5) ? null : numbers.below(server.head + 1);
        if (world.followed.length > 8) break;
        if (since !== null && session !== undefined) struck['began in the past'] += 1;
        if (isLoud) console.log('FOLLOW', channels, since);
        world.follow(channels, since);
        break;
      }
      case 4: {
        if (!numbers.chance(0.4)) break;
        const one = world.followed.splice(numbers.below(world.followed.length), 1)[0];
        one?.subscription.close();
        if (one !== undefined) world.check(one, false, `seed ${seed} step ${step} closed`);
        break;
      }
      case 5:
        if (session === undefined || !numbers.chance(0.5)) break;
        struck[session.out.length > 2 ? 'cut while catching up' : 'cut'] += 1;
        session.cut();
        break;
      case 6:
        await clock.pass(numbers.below(3000));
        break;
      case 7: {
        const isLost = numbers.chance(0.3);
        const answer = server.answers.shift();
        if (answer !== undefined && isLost) struck['answer lost'] += 1;
        answer?.(isLost);
        break;
      }
      case 8:
        session?.heartbeat();
        break;
      default:
        if (session !== undefined) pump(session, 1 + numbers.below(4));
    }
    await settle();
    for (const one of world.followed) world.check(one, false, `seed ${seed} step ${step}`);
  }
  // Everything is let pass until nothing comes any more.
  for (let round = 0; round < 100; round += 1) {
    for (const answer of server.answers.splice(0)) answer(false);
    await settle();
    for (const session of server.open) {
      session.heartbeat();
      pump(session, 10_000);
    }
    await settle();
    await clock.pass(500);
  }
  for (const one of world.followed) {
    world.check(one, true, `seed ${seed} at the end`);
    expect(one.isReady, `seed ${seed}: ready`).toBe(true);
  }
  expect(server.open.length, `seed ${seed}: streams`).toBeLessThanOrEqual(1);
  const wanted = [...new Set(world.followed.flatMap(({ channels }) => channels))].sort();
  expect(server.open[0]?.channels ?? [], `seed ${seed}: what the stream carries`).toEqual(wanted);
  world.client.close();
  await settle();
  expect([server.open.length, clock.pending], `seed ${seed}: leaks`).toEqual([0, 0]);
}

// What is loaded when it is first needed takes real time.
beforeAll(async () => {
  await Promise.all([import('../../src/driver.ts'), import('../../src/requests.ts')]);
});

describe('random orders', () => {
  const shares = 10;
  for (let share = 0; share < shares; share += 1) {
    test(`nothing is lost, doubled or out of order (${share + 1} of ${shares})`, async () => {
      for (let n = share; n < SEEDS; n += shares) await walk(FIRST + n);
    }, 300_000);
  }
  afterAll(() => {
    console.log(`struck in ${SEEDS} walks: ${JSON.stringify(struck)}`);
    for (const [fault, times] of Object.entries(struck)) expect(times, fault).toBeGreaterThan(0);
  });
});
