// Many casts of one page: what is read together, what alone, and what becomes of a reading that fails.

import { getEventListeners } from 'node:events';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Cast, type CastFollowing, type CastListeners, followCast } from '../../src/casts/index.ts';
import { readCast } from '../../src/casts/read.ts';
import { type Client, createClient, type FetchOptions, type Signal } from '../../src/index.ts';
import { FakeServer } from '../model/fake-server.ts';
import { Clock, settle } from '../support/clock.ts';

// What is loaded when it is first needed takes real time.
beforeAll(async () => {
  await Promise.all([import('../../src/driver.ts'), import('../../src/requests.ts'), import('../../src/snapshot.ts')]);
});

const names = (count: number) => Array.from({ length: count }, (_, n) => `c${n}`);

class World {
  readonly server = new FakeServer();
  readonly clock = new Clock();
  readonly asked: { readonly path: string; readonly signal: AbortSignal }[] = [];
  readonly casts = new Map<string, Cast>();
  /** What the next requests are answered in place of the truth. */
  readonly refusals: (number | 'broken')[] = [];
  /** Nothing is answered before this. */
  gate: Promise<void> | undefined;
  readonly failures: string[] = [];
  /** Who hears of network and page. */
  readonly signals = new Set<(signal: Signal) => void>();
  readonly client: Client;

  constructor(...ids: string[]) {
    this.server.addressHolds = 1000;
    for (const id of ids) this.set(id, 'running', 1);
    this.client = createClient({
      url: 'http://server.test',
      transports: [this.server.transport],
      environment: {
        now: () => this.clock.now,
        random: () => 0.5,
        after: this.clock.after,
        watch: (listener) => {
          this.signals.add(listener);
          return () => this.signals.delete(listener);
        },
        fetch: (url, options) => this.#fetch(url.replace('http://server.test', ''), options),
      },
    });
  }

  set(id: string, status: Cast['status'], version: number): void {
    this.casts.set(id, { id, status, version, progress: null, artifactUrl: null, updatedAt: '' } as Cast);
  }

  get paths(): string[] {
    return this.asked.map(({ path }) => path);
  }

  async #fetch(path: string, { signal }: FetchOptions): Promise<Response> {
    this.asked.push({ path, signal: signal as AbortSignal });
    const refusal = this.refusals.shift();
    const aborted = new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new Error('aborted'))));
    await Promise.race([this.gate, aborted]);
    if (refusal === 'broken') throw new Error('broken');
    if (refusal !== undefined) {
      const headers = refusal === 429 ? { 'retry-after': '5' } : {};
      return new Response(JSON.stringify({ code: 'refused' }), { status: refusal, headers });
    }
    const headers = { 'tidings-cursor': this.server.headId };
    const ids = new URLSearchParams(path.split('?')[1]).getAll('id');
    if (ids.length > 0) {
      const items = ids.flatMap((id) => this.casts.get(id) ?? []);
      const missing = ids.filter((id) => !this.casts.has(id) && id !== 'unsaid');
      const refused = missing.map((id) => ({ id, code: id === 'hidden' ? 'forbidden' : 'not_found' }));
      return new Response(JSON.stringify({ items, nextCursor: null, refused }), { headers });
    }
    const cast = this.casts.get(decodeURIComponent(path.slice('/api/casts/'.length)));
    if (cast === undefined) return new Response(JSON.stringify({ code: 'not_found' }), { status: 404 });
    return new Response(JSON.stringify(cast), { headers: { ...headers, etag: `"${cast.version}"` } });
  }

  follow(id: string, listeners: CastListeners = {}): CastFollowing {
    return followCast(this.client, id, {
      onFailure: (error) => this.failures.push(`${id} ${error.message}`),
      ...listeners,
    });
  }

  /** Lets everything pass that is on its way. */
  flow(): Promise<void> {
    return this.server.flow();
  }
}

describe('casts that are followed from one task on', () => {
  test('are one reading and one stream, each with its own record', async () => {
    const world = new World(...names(50));
    world.set('c7', 'succeeded', 9);
    const followings = names(50).map((id) => world.follow(id));
    await world.flow();
    expect(world.paths).toEqual([
      `/api/casts?${names(50)
        .map((id) => `id=${id}`)
        .join('&')}`,
    ]);
    expect(followings.map(({ cast }) => cast?.id)).toEqual(names(50));
    expect(followings[7]?.cast).toMatchObject({ status: 'succeeded', version: 9 });
    await Promise.all(followings.map(({ ready }) => ready));
    expect(world.server.opened).toBe(1);
    expect(world.failures).toEqual([]);
  });

  test('are read alone where there is but one, however often', async () => {
    const world = new World('a@b');
    const [one, other] = [world.follow('a@b'), world.follow('a@b')];
    await world.flow();
    expect(world.paths).toEqual(['/api/casts/a%40b']);
    expect([one.cast?.version, other.cast?.version]).toEqual([1, 1]);
  });

  test('that cannot be read say why, without a request of their own; the others go on', async () => {
    const world = new World('a', 'b');
    const followings = ['a', 'gone', 'b', 'hidden'].map((id) => world.follow(id));
    await world.flow();
    expect(world.paths).toEqual(['/api/casts?id=a&id=gone&id=b&id=hidden']);
    expect(followings.map(({ cast }) => cast?.id)).toEqual(['a', undefined, 'b', undefined]);
    expect(world.failures).toEqual(['gone there is no such cast', 'hidden the cast belongs to another user']);
    await expect(followings[1]?.ready).rejects.toMatchObject({ status: 404, code: 'not_found' });
    await expect(followings[3]?.ready).rejects.toMatchObject({ status: 403, code: 'forbidden' });
  });

  test('that the answer does not speak of are asked for alone', async () => {
    const world = new World('a');
    const followings = ['a', 'unsaid'].map((id) => world.follow(id));
    await world.flow();
    expect(world.paths).toEqual(['/api/casts?id=a&id=unsaid', '/api/casts/unsaid']);
    await expect(followings[1]?.ready).rejects.toMatchObject({ status: 404 });
  });

  test('are as many requests as addresses and the server take', async () => {
    const long = names(100).map((id) => `${id}-${'x'.repeat(100)}`);
    const world = new World(...names(450), ...long);
    const followings = [...names(450), ...long].map((id) => world.follow(id));
    await world.flow();
    const counts = world.paths.map((path) => path.split('id=').length - 1);
    expect(counts).toEqual([200, 200, 111, 39]);
    expect(Math.max(...world.paths.map(({ length }) => length))).toBeLessThan(7500);
    expect(followings.every(({ cast }) => cast !== null)).toBe(true);
  });

  test('do not end each other: one is closed, then all', async () => {
    const world = new World('a', 'b', 'c');
    let open = () => {};
    world.gate = new Promise((resolve) => {
      open = resolve;
    });
    const never = world.follow('c');
    never.close();
    const followings = ['a', 'b'].map((id) => world.follow(id));
    await settle();
    followings[0]?.close();
    expect(world.asked.map(({ path, signal }) => [path, signal.aborted])).toEqual([['/api/casts?id=a&id=b', false]]);
    open();
    await world.flow();
    expect(followings.map(({ cast }) => cast?.id)).toEqual([undefined, 'b']);

    world.gate = new Promise(() => {});
    const more = ['a', 'c'].map((id) => world.follow(id));
    await settle();
    for (const following of more) following.close();
    expect(world.asked.at(-1)?.signal.aborted).toBe(true);
    await settle();
    expect(world.failures).toEqual([]);
    world.client.close();
    expect(world.clock.pending).toBe(0);
  });

  test('are tried again together where the reading failed', async () => {
    const world = new World(...names(5));
    world.refusals.push('broken', 503);
    const followings = names(5).map((id) => world.follow(id));
    await world.flow();
    expect(world.failures).toHaveLength(5);
    expect(world.clock.pending).toBe(1);
    followings[4]?.close();
    await world.clock.pass(500);
    await world.flow();
    expect(world.failures).toHaveLength(9);
    await world.clock.pass(1000);
    await world.flow();
    expect(world.paths.map((path) => path.split('id=').length - 1)).toEqual([5, 4, 4]);
    expect(followings.map(({ cast }) => cast?.id)).toEqual(['c0', 'c1', 'c2', 'c3', undefined]);
  });

  test('are tried again at once when the page has network again, unless the server named the time', async () => {
    const world = new World('a', 'b');
    world.refusals.push('broken', 429);
    for (const id of ['a', 'b']) world.follow(id);
    await world.flow();
    expect([world.asked.length, world.signals.size]).toEqual([1, 1]);
    for (const tell of [...world.signals]) tell('hidden');
    expect(world.asked).toHaveLength(1);
    for (const tell of [...world.signals]) tell('online');
    await world.flow();
    expect([world.asked.length, world.clock.pending]).toEqual([2, 1]);
    for (const tell of [...world.signals]) tell('online');
    await world.flow();
    expect(world.asked).toHaveLength(2);
    world.client.close();
    expect([world.signals.size, world.clock.pending]).toEqual([0, 0]);
  });

  test('are listened for as long as they are read, however often that is', async () => {
    const world = new World('a', 'b');
    const { signal } = new AbortController();
    const listeners = () => getEventListeners(signal, 'abort').length;
    for (const ids of [['a'], ['a', 'b'], ['a', 'unsaid']]) {
      const readings = ids.map((id) => readCast(world.client, id, signal));
      expect(listeners()).toBe(ids.length);
      await Promise.all(readings);
      expect(listeners()).toBe(0);
    }
    world.refusals.push('broken');
    await expect(readCast(world.client, 'a', signal)).rejects.toMatchObject({ code: 'network' });
    expect(listeners()).toBe(0);
  });

  test('are read alone where a common reading is refused', async () => {
    const world = new World('a', 'b');
    world.refusals.push(414);
    const followings = ['a', 'b'].map((id) => world.follow(id));
    await world.flow();
    expect(world.paths).toEqual(['/api/casts?id=a&id=b', '/api/casts/a', '/api/casts/b']);
    expect(followings.map(({ cast }) => cast?.id)).toEqual(['a', 'b']);
  });

  test('are read together again after a gap', async () => {
    const world = new World(...names(50));
    const told: string[] = [];
    for (const id of names(50)) world.follow(id, { onStatus: ({ status }) => told.push(`${id} ${status}`) });
    await world.flow();
    told.length = 0;
    world.asked.length = 0;
    // Another history, in which one of them is further.
    world.server.lineage = 2;
    world.set('c3', 'succeeded', 2);
    for (const session of world.server.open) session.cut();
    await settle();
    await world.clock.pass(2000);
    await world.flow();
    expect(world.paths.map((path) => path.split('id=').length - 1)).toEqual([50]);
    expect(told).toEqual(['c3 succeeded']);
    expect(world.server.opened).toBe(2);
  });
});

describe('casts', () => {
  test('that are gone after a gap are told to be, once; the others go on', async () => {
    const world = new World('a', 'b', 'c');
    const followings = ['a', 'b', 'c'].map((id) => world.follow(id));
    await world.flow();
    world.server.lineage = 2;
    world.casts.delete('b');
    world.asked.length = 0;
    for (const session of world.server.open) session.cut();
    await settle();
    await world.clock.pass(2000);
    await world.flow();
    await world.clock.pass(60_000);
    await world.flow();
    expect(world.paths).toEqual(['/api/casts?id=a&id=b&id=c']);
    expect(world.failures).toEqual(['b there is no such cast']);
    // What it was is known still.
    expect(followings.map(({ cast }) => cast?.id)).toEqual(['a', 'b', 'c']);
    expect(world.server.open.map(({ channels }) => channels)).toEqual([['cast:a', 'cast:c']]);
  });

  test('of two clients are read by each for itself', async () => {
    const [one, other] = [new World('a', 'b'), new World('a', 'b')];
    for (const world of [one, other]) for (const id of ['a', 'b']) world.follow(id);
    await one.flow();
    await other.flow();
    expect([one.paths, other.paths]).toEqual([['/api/casts?id=a&id=b'], ['/api/casts?id=a&id=b']]);
    one.client.close();
    other.set('a', 'succeeded', 2);
    expect([one.server.open.length, other.server.open.length]).toEqual([0, 1]);
  });
});

describe('a following that is closed', () => {
  test('is told nothing more, be it from within what it is told', async () => {
    const world = new World('a');
    const told: string[] = [];
    const following: CastFollowing = world.follow('a', {
      onCast: ({ version }) => {
        told.push(`cast ${version}`);
        if (version === 2) following.close();
      },
      onStatus: ({ status }) => told.push(status),
      onEnd: () => told.push('end'),
    });
    await world.flow();
    const event = (version: number) =>
      world.server.publish('cast:a', [], { version, type: 'STARTED', status: 'running' });
    event(2);
    event(3);
    await world.flow();
    expect(told).toEqual(['cast 1', 'running', 'cast 2']);
  });

  test('with its client reads nothing any more', async () => {
    const world = new World('a');
    world.refusals.push('broken', 'broken');
    const following = world.follow('a');
    await world.flow();
    expect([world.asked.length, world.clock.pending]).toEqual([1, 1]);
    world.client.close();
    await world.clock.pass(60_000);
    await world.flow();
    expect([world.asked.length, world.clock.pending]).toEqual([1, 0]);
    await expect(following.ready).rejects.toMatchObject({ code: 'closed' });
    await expect(world.follow('a').ready).rejects.toMatchObject({ code: 'closed' });
    expect(world.asked).toHaveLength(1);
  });

  test('by its end has ended, whatever a listener throws', async () => {
    const world = new World('a');
    let ended = 0;
    world.set('a', 'cancelled', 4);
    const following = world.follow('a', {
      onStatus: () => {
        throw new Error('mine');
      },
      onEnd: () => {
        ended += 1;
      },
    });
    await world.flow();
    await following.ready;
    expect([ended, world.failures]).toEqual([1, ['a mine']]);
  });
});
