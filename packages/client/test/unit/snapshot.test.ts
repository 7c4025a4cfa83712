// A record and its events: when it is read again.

import { beforeAll, describe, expect, test } from 'vitest';
import { createClient, type Signal, type SnapshotInfo } from '../../src/index.ts';
import { FakeServer, idOf } from '../model/fake-server.ts';
import { Clock } from '../support/clock.ts';

// What is loaded when it is first needed takes real time.
beforeAll(async () => {
  await Promise.all([import('../../src/driver.ts'), import('../../src/requests.ts'), import('../../src/snapshot.ts')]);
});

/** A position of a history that the server does not have. */
const STALE = idOf(3, 9);

class World {
  readonly server = new FakeServer();
  readonly clock = new Clock();
  /** Whether a cache answers, with a record that is older than what the server's log has. */
  isCached = false;
  reads = 0;
  readonly told: string[] = [];
  readonly signals = new Set<(signal: Signal) => void>();
  readonly client = createClient({
    url: 'http://server.test',
    transports: [this.server.transport],
    backoff: { initial: 1000, max: 4000 },
    environment: {
      now: () => this.clock.now,
      random: () => 0.5,
      after: this.clock.after,
      watch: (listener) => {
        this.signals.add(listener);
        return () => this.signals.delete(listener);
      },
      report: (error) => this.told.push(String(error)),
    },
  });

  follow(channel = 'a') {
    return this.client.snapshot(async () => this.#read(), channel, {
      onSnapshot: (_, { isRefetched }: SnapshotInfo) => this.told.push(isRefetched ? 'record again' : 'record'),
      onEvent: ({ data }) => this.told.push(`event ${data}`),
      onGap: ({ reason }) => this.told.push(`gap ${reason}`),
    });
  }

  #read(): Response {
    this.reads += 1;
    return new Response('{}', { headers: { 'tidings-cursor': this.isCached ? STALE : this.server.headId } });
  }

  /** The server loses its history. */
  forget(): void {
    this.server.log = [];
    this.server.lineage += 1;
    for (const session of this.server.open) session.cut();
  }

  /** Lets time pass bit by bit, and whatever is on its way; answers how often the record was read meanwhile. */
  async readsWithin(milliseconds: number): Promise<number> {
    const before = this.reads;
    for (let passed = 0; passed < milliseconds; passed += 50) {
      await this.clock.pass(50);
      await this.server.flow();
    }
    return this.reads - before;
  }
}

describe('a record that a cache keeps older than the log', () => {
  test('is read again at once, and then as after failures', async () => {
    const world = new World();
    world.isCached = true;
    const follow = world.follow();
    for (let turn = 0; turn < 20; turn += 1) await world.server.flow();
    expect(world.reads).toBe(2);
    expect(world.told).toEqual(['record', 'gap unknown', 'record again', 'gap unknown']);
    // Half of the limits 1,000, 2,000, 4,000, 4,000 …
    expect(await world.readsWithin(450)).toBe(0);
    expect(await world.readsWithin(100)).toBe(1);
    expect(await world.readsWithin(900)).toBe(0);
    expect(await world.readsWithin(150)).toBe(1);
    expect(await world.readsWithin(20_000)).toBe(10);
    follow.close();
    expect(await world.readsWithin(5000)).toBe(0);
  });

  test('is followed once the cache has a newer one, and the next gap is no repetition', async () => {
    const world = new World();
    world.isCached = true;
    const follow = world.follow();
    for (let turn = 0; turn < 20; turn += 1) await world.server.flow();
    world.isCached = false;
    expect(await world.readsWithin(1000)).toBe(1);
    await follow.ready;
    world.server.publish('a', []);
    await world.server.flow();
    expect(world.told.slice(-2)).toEqual(['record again', 'event 0']);
    world.forget();
    // The stream comes back after half a second; with it come the gap and, at once, the record.
    expect(await world.readsWithin(600)).toBe(1);
    expect(world.told.slice(-2)).toEqual(['gap unknown', 'record again']);
    world.client.close();
  });

  test('is read by all who follow it in one task, and at once where the page is seen', async () => {
    const world = new World();
    world.isCached = true;
    const follows = [world.follow(), world.follow(), world.follow()];
    for (let turn = 0; turn < 20; turn += 1) await world.server.flow();
    expect(world.reads).toBe(6);
    for (const signal of [...world.signals]) signal('visible');
    await world.server.flow();
    expect(world.reads).toBe(9);
    for (const follow of follows) follow.close();
    world.client.close();
    expect(world.clock.pending).toBe(0);
  });
});

describe('a record that is read from the log itself', () => {
  test('is read at once after each gap, with events between', async () => {
    const world = new World();
    world.follow();
    await world.server.flow();
    for (let round = 0; round < 5; round += 1) {
      world.server.publish('a', []);
      for (const session of world.server.open) session.heartbeat();
      await world.server.flow();
      const before = world.reads;
      world.forget();
      await world.readsWithin(600);
      expect(world.reads - before).toBe(1);
    }
    expect(world.told.filter((what) => what === 'record again')).toHaveLength(5);
    world.client.close();
  });
});
