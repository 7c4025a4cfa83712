// The client over a server in memory: what is counted, what is asked for, what it says of itself.

import { beforeAll, describe, expect, test } from 'vitest';
import { type Client, type ClientOptions, createClient, type Status } from '../../src/index.ts';
import type { Host, Transport } from '../../src/transports/transport.ts';
import { FakeServer } from '../model/fake-server.ts';
import { Clock, settle } from '../support/clock.ts';
import { Collector } from '../support/collector.ts';

// What is loaded when it is first needed takes real time.
beforeAll(async () => {
  await Promise.all([import('../../src/driver.ts'), import('../../src/requests.ts')]);
});

class World {
  readonly server = new FakeServer();
  readonly clock = new Clock();
  readonly steps: string[] = [];
  readonly client: Client;

  constructor(options: ClientOptions = {}) {
    this.client = createClient({
      url: 'http://server.test',
      transports: [this.server.transport],
      trace: ({ input, effects }) => this.steps.push(`${input.type}: ${effects.map(({ type }) => type).join(' ')}`),
      ...options,
      environment: {
        now: () => this.clock.now,
        random: () => 0.5,
        after: this.clock.after,
        watch: () => () => {},
        fetch: (() => Promise.reject(new Error('not here'))) as never,
        ...options.environment,
      },
    });
  }

  /** Lets everything pass that is on its way. */
  flow(): Promise<void> {
    return this.server.flow();
  }
}

describe('subscriptions', () => {
  test('any number of them are one stream, and what changes within a task is one change', async () => {
    const world = new World();
    const seen = Array.from({ length: 100 }, () => new Collector());
    const subscriptions = seen.map((one) => world.client.subscribe('a', one));
    world.client.subscribe('b', {}).close();
    await world.flow();
    expect(world.server.open).toHaveLength(1);
    expect(world.steps.filter((step) => step.startsWith('want'))).toEqual(['want: open']);
    world.server.publish('a', []);
    await world.flow();
    expect(seen.every(({ events }) => events.length === 1)).toBe(true);
    for (const subscription of subscriptions.slice(1)) subscription.close();
    await world.flow();
    expect(world.steps.filter((step) => step.includes('change'))).toEqual([]);
    subscriptions[0]?.close();
    subscriptions[0]?.close();
    await world.flow();
    expect(world.steps.at(-2)).toBe('want: change');
    await world.clock.pass(5000);
    expect([world.client.status.state, world.server.open.length, world.clock.pending]).toEqual(['idle', 0, 0]);
  });

  test('mounting anew within the time a stream lingers keeps it', async () => {
    const world = new World();
    const first = world.client.subscribe('a', {});
    await world.flow();
    first.close();
    await world.flow();
    await world.clock.pass(4000);
    const seen = new Collector();
    await Promise.all([world.client.subscribe('a', seen).ready, world.flow()]);
    expect(world.steps.filter((step) => step.includes('open') && !step.includes('opened'))).toHaveLength(1);
    world.server.publish('a', []);
    await world.flow();
    expect(seen.events).toHaveLength(1);
  });

  test('each takes its own types and categories; the stream all of them', async () => {
    const world = new World();
    const [all, some, none] = [new Collector(), new Collector(), new Collector()];
    world.client.subscribe({ channels: 'a', types: ['t'] }, some);
    world.client.subscribe({ channels: 'a', types: ['u'], categories: ['C'] }, none);
    await world.flow();
    const opened = world.steps.length;
    world.client.subscribe('a', all);
    await world.flow();
    // What was left out for two must not be left out for the third.
    expect(world.steps.slice(opened)[0]).toBe('want: stop open');
    expect(world.client.status.state).toBe('connected');
    world.server.publish('a', []);
    await world.flow();
    expect([all.events.length, some.events.length, none.events.length]).toEqual([1, 1, 0]);
  });

  test('wrong names are refused at once', () => {
    const { client } = new World();
    for (const wrong of ['', 'a b', 'a:', ':a', 'a*', 'a:*:b', 'x'.repeat(201)]) {
      expect(() => client.subscribe(wrong, {}), wrong).toThrow(TypeError);
    }
    expect(() => client.subscribe([], {})).toThrow(RangeError);
    expect(() => client.subscribe({ channels: 'a', since: 'yesterday' }, {})).toThrow(TypeError);
    expect(() => createClient({ url: 'http://a.test', transports: ['pigeon' as 'sse'] })).toThrow(TypeError);
  });

  test('after close nothing is called and nothing begins', async () => {
    const world = new World();
    const seen = new Collector();
    const { ready } = world.client.subscribe('a', seen);
    await world.flow();
    await ready;
    world.client.close();
    expect(world.client.status.state).toBe('closed');
    world.server.publish('a', []);
    await world.flow();
    expect([seen.events.length, world.server.open.length, world.clock.pending]).toEqual([0, 0, 0]);
    await expect(world.client.subscribe('a', seen).ready).rejects.toMatchObject({ code: 'closed' });
    world.client.reconnect();
    await world.flow();
    expect(world.client.status.state).toBe('closed');
  });

  test('channels that wait for more events than the limit are told so', async () => {
    const world = new World({ queueLimit: 3, recentLimit: 3 });
    const seen = new Collector();
    world.client.subscribe('a', {});
    await world.flow();
    world.client.subscribe({ channels: ['a', 'b'], since: 'start' }, seen);
    await settle();
    for (let n = 0; n < 10; n += 1) world.server.publish('a', []);
    const [session] = world.server.open;
    session?.read();
    // The answer that says that nothing was missed is still on its way.
    const held = session?.out.splice(0) ?? [];
    for (const say of held.slice(-10)) say();
    for (const say of held.slice(0, -10)) say();
    await world.flow();
    world.server.publish('b', []);
    await world.flow();
    expect(seen.gaps.map(({ reason }) => reason)).toEqual(['overflow']);
    expect(seen.events.at(-1)?.channel).toBe('b');
  });
});

describe('status', () => {
  test('is one object until something changes, and tells each change once', async () => {
    const world = new World();
    const told: Status[] = [];
    const end = world.client.onStatus((status) => told.push(status));
    const { status: idle } = world.client;
    expect(idle).toEqual({ state: 'idle', transport: null, error: null, attempt: 0, nextAttemptAt: null });
    world.client.subscribe('a', {});
    await world.flow();
    const { status: connected } = world.client;
    world.server.publish('a', []);
    for (const session of world.server.open) session.heartbeat();
    await world.flow();
    expect(world.client.status).toBe(connected);
    for (const session of world.server.open) session.cut();
    await settle();
    const { status: lost } = world.client;
    expect(lost).toMatchObject({ state: 'reconnecting', error: { code: 'cut' }, attempt: 1 });
    expect(lost.nextAttemptAt).toBeCloseTo(Date.now() + 500, -2);
    await world.clock.pass(500);
    await world.flow();
    expect(told.map(({ state }) => state)).toEqual([
      'connecting',
      'connecting',
      'connected',
      'reconnecting',
      'reconnecting',
      'connected',
    ]);
    expect(new Set(told).size).toBe(told.length);
    end();
    world.client.close();
    expect(told.at(-1)?.state).toBe('connected');
  });

  test("a watcher that throws stands in nobody's way", async () => {
    const reported: unknown[] = [];
    const world = new World({ environment: { report: (error) => reported.push(error) } });
    const told: string[] = [];
    world.client.onStatus(() => {
      throw new Error('mine');
    });
    world.client.onStatus(({ state }) => told.push(state));
    world.client.subscribe('a', {});
    await world.flow();
    expect(told.at(-1)).toBe('connected');
    expect(reported.length).toBe(told.length);
  });
});

describe('what nobody listens to', () => {
  const refuse = { kind: 'auth', code: 'unauthenticated' } as const;
  const refusing = (seen: unknown[]) => {
    const transport = { name: 'no', isSupported: () => true, open: (_: unknown, host: Host) => refused(host) };
    const refused = (host: Host) => {
      queueMicrotask(() => host.closed(refuse));
      return { change: () => Promise.reject(refuse), renew: () => Promise.reject(refuse), close: () => {} };
    };
    const report = (error: unknown) => seen.push(error);
    return new World({ transports: [transport as unknown as Transport], environment: { report } });
  };

  test('a refused connection is reported, once', async () => {
    const seen: unknown[] = [];
    const world = refusing(seen);
    world.client.subscribe('a', () => {});
    world.client.subscribe('b', { onError: () => {} });
    await world.flow();
    await world.clock.pass(60_000);
    expect(world.client.status.state).toBe('refused');
    expect(seen).toMatchObject([{ code: 'unauthenticated' }]);
  });

  test('is told to those who do, and not reported', async () => {
    const seen: unknown[] = [];
    for (const listen of [
      (client: Client) => void client.onStatus(() => {}),
      (client: Client) => void client.subscribe('b', { onStatus: () => {} }),
    ]) {
      const world = refusing(seen);
      listen(world.client);
      world.client.subscribe('a', () => {});
      await world.flow();
      expect(world.client.status.state).toBe('refused');
    }
    expect(seen).toEqual([]);
  });

  test('a subscription without a listener is refused, a trace that throws is reported', async () => {
    const seen: unknown[] = [];
    const throws = () => {
      throw new Error('in the trace');
    };
    const world = new World({ trace: throws, environment: { report: (error) => seen.push(error) } });
    expect(() => world.client.subscribe('a', undefined as never)).toThrow(/`listener` is undefined/);
    world.client.subscribe('a', () => {});
    await world.flow();
    expect(world.client.status.state).toBe('connected');
    expect(seen).toContainEqual(expect.objectContaining({ message: 'in the trace' }));
  });
});

test('options and listeners that are undefined are as if they were not given', async () => {
  const none = { auth: undefined, tabs: undefined, heartbeat: undefined, linger: undefined, trace: undefined };
  const world = new World({ ...none, credentials: undefined, backoff: { max: undefined } });
  const listeners = { onEvent: undefined, onGap: undefined, onStatus: undefined, onError: undefined };
  world.client.subscribe({ channels: 'a', types: undefined, since: undefined }, listeners);
  await world.flow();
  expect(world.client.status.state).toBe('connected');
  expect(world.server.open.map(({ channels }) => channels)).toEqual([['a']]);
});
