import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { createPublisher, type Draft } from '../src/index.ts';
import { type Asked, event, problem, publisherTo } from './support.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const sent = (asked: readonly Asked[]) => asked.flatMap(({ body }) => body.events.map((one: Draft) => one.data));

/** A reply that waits to be let go, and how many requests wait at most at a time. */
function held() {
  const waiting: (() => void)[] = [];
  let most = 0;
  const reply = () =>
    new Promise<undefined>((resolve) => {
      waiting.push(() => resolve(undefined));
      most = Math.max(most, waiting.length);
    });
  const next = async () => {
    waiting.shift()?.();
    await vi.advanceTimersByTimeAsync(0);
  };
  return { reply, next, most: () => most, waiting };
}

describe('the queue', () => {
  test('returns at once, gathers what waits, and keeps the order', async () => {
    const { reply, next } = held();
    const { publisher, asked } = publisherTo(reply);
    expect(publisher.enqueue(event(0))).toBe(true);
    await vi.advanceTimersByTimeAsync(0);
    for (let index = 1; index < 150; index += 1) publisher.enqueue(event(index, `channel:${index % 3}`));
    expect(publisher.queued).toBe(150);
    await next();
    await next();
    await next();
    expect(asked.map(({ body }) => body.events.length)).toEqual([1, 100, 49]);
    expect(sent(asked)).toEqual(Array.from({ length: 150 }, (_, index) => index));
    expect(publisher.queued).toBe(0);
  });

  test('is bounded in events; what finds no room is told and not taken', async () => {
    const { reply, next } = held();
    const { publisher, asked, failures } = publisherTo(reply, { queueLimit: 3 });
    expect([1, 2, 3, 4].map((data) => publisher.enqueue(event(data)))).toEqual([true, true, true, false]);
    expect(failures).toMatchObject([
      { error: { code: 'queue_full' }, enqueued: { kind: 'event', event: { data: 4 } } },
    ]);
    await vi.advanceTimersByTimeAsync(0);
    // What is under way counts until it is answered.
    expect(publisher.enqueue(event(5))).toBe(false);
    await next();
    expect(publisher.enqueue(event(6))).toBe(true);
    await vi.advanceTimersByTimeAsync(0);
    await next();
    expect(sent(asked)).toEqual([1, 2, 3, 6]);
  });

  test('is bounded in bytes', () => {
    const { publisher, failures } = publisherTo(() => undefined, { queueBytes: 1_000 });
    expect([1, 2].map(() => publisher.enqueue(event('x'.repeat(500))))).toEqual([true, false]);
    expect(failures).toMatchObject([{ error: { code: 'queue_full' } }]);
  });

  test('takes the event as it was when it was enqueued', async () => {
    const { publisher, asked } = publisherTo(() => undefined);
    const changing = { n: 1 };
    publisher.enqueue(event(changing));
    changing.n = 2;
    await publisher.flush();
    expect(sent(asked)).toEqual([{ n: 1 }]);
  });

  test('tells of what is no JSON instead of throwing', () => {
    const { publisher, failures } = publisherTo(() => undefined);
    expect(publisher.enqueue(event(1n))).toBe(false);
    expect(failures).toMatchObject([{ error: { code: 'invalid_event' } }]);
  });

  test('sends a batch without the events that are refused', async () => {
    const isEnded = (asked: Asked) => asked.body.events.some((one: Draft) => one.channel === 'ended');
    const { publisher, asked, failures } = publisherTo((one) =>
      isEnded(one) ? problem(409, 'channel_ended') : undefined,
    );
    for (let index = 0; index < 5; index += 1) publisher.enqueue(event(index, index === 2 ? 'ended' : 'a'));
    await publisher.flush();
    expect(failures).toMatchObject([{ error: { code: 'channel_ended' }, enqueued: { event: { data: 2 } } }]);
    // A batch of five that is refused, then one by one.
    expect(sent(asked)).toEqual([0, 1, 2, 3, 4, 0, 1, 2, 3, 4]);
  });

  test('tells of every event of a batch that nobody may send', async () => {
    const { publisher, asked, failures } = publisherTo(() => problem(401, 'unauthenticated'));
    for (let index = 0; index < 5; index += 1) publisher.enqueue(event(index));
    await publisher.flush();
    expect(failures.map(({ error }) => error.code)).toEqual(Array(5).fill('unauthenticated'));
    expect(asked).toHaveLength(1);
  });

  test('goes on where onError throws', async () => {
    const said = vi.spyOn(console, 'error').mockReturnValue();
    const onError = () => {
      throw new Error('in onError');
    };
    const { publisher, asked } = publisherTo((_, count) => (count === 1 ? problem(400, 'invalid_type') : undefined), {
      onError,
    });
    publisher.enqueue(event(1));
    await publisher.flush();
    publisher.enqueue(event(2));
    expect(await publisher.flush()).toBe(true);
    expect([asked.length, said.mock.calls.length]).toEqual([2, 1]);
  });

  test('says by default on the console what was not published', async () => {
    const said = vi.spyOn(console, 'error').mockReturnValue();
    const { publisher } = publisherTo(() => problem(403, 'forbidden_channel'), { onError: undefined as never });
    publisher.enqueue(event(1, 'private'));
    await publisher.flush();
    expect(said).toHaveBeenCalledExactlyOnceWith(
      'tidings: an event on private was not published: forbidden_channel: because of forbidden_channel',
    );
  });
});

describe('what is told of casts', () => {
  test('is in order for each cast, and several casts are told of at the same time', async () => {
    const { reply, next, most, waiting } = held();
    const { publisher, asked } = publisherTo(reply, { concurrency: 3 });
    for (const progress of [1, 2, 3]) {
      for (const id of ['a', 'b', 'c', 'd']) {
        publisher.enqueueCast(id, { type: 'PROGRESS_UPDATE', data: { progress }, userId: 'u' });
      }
    }
    await vi.advanceTimersByTimeAsync(0);
    while (waiting.length > 0) await next();
    expect(most()).toBe(3);
    expect(asked).toHaveLength(12);
    for (const id of ['a', 'b', 'c', 'd']) {
      const told = asked.filter(({ path }) => path === `/api/casts/${id}/events`);
      expect(told.map(({ body }) => body.data.progress)).toEqual([1, 2, 3]);
    }
  });

  test('does not wait for a cast that is stuck', async () => {
    const { publisher, asked } = publisherTo((one) => (one.path.includes('stuck') ? new Promise(() => {}) : undefined));
    publisher.enqueueCast('stuck', { type: 'STARTED' });
    publisher.enqueueCast('other', { type: 'STARTED' });
    await vi.advanceTimersByTimeAsync(0);
    expect(asked.map(({ path }) => path)).toEqual(['/api/casts/stuck/events', '/api/casts/other/events']);
    expect(publisher.queued).toBe(1);
  });
});

describe('flush', () => {
  test('waits for what was enqueued before it and for nothing later', async () => {
    const { reply, next } = held();
    const { publisher } = publisherTo(reply);
    publisher.enqueue(event(1));
    let isDone = false;
    const flushed = publisher.flush().then((done) => {
      isDone = done;
    });
    await vi.advanceTimersByTimeAsync(0);
    publisher.enqueue(event(2));
    expect(isDone).toBe(false);
    await next();
    await flushed;
    expect([isDone, publisher.queued]).toEqual([true, 1]);
    await next();
    expect(await publisher.flush()).toBe(true);
  });

  test('says when time was up before', async () => {
    const { publisher } = publisherTo(() => new Promise(() => {}));
    publisher.enqueue(event());
    const flushed = publisher.flush({ timeout: 5_000 });
    await vi.advanceTimersByTimeAsync(4_999);
    expect(publisher.queued).toBe(1);
    await vi.advanceTimersByTimeAsync(1);
    expect(await flushed).toBe(false);
  });

  test('leaves no timer', async () => {
    const { publisher } = publisherTo(() => undefined);
    publisher.enqueue(event());
    await publisher.flush();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('close', () => {
  test('sends what waits, then takes nothing more', async () => {
    const { publisher, asked, failures } = publisherTo(() => undefined);
    publisher.enqueue(event(1));
    expect(await publisher.close()).toBe(true);
    expect(sent(asked)).toEqual([1]);
    expect(publisher.enqueue(event(2))).toBe(false);
    expect(failures).toMatchObject([{ error: { code: 'closed' } }]);
    await expect(publisher.publish(event())).rejects.toMatchObject({ code: 'closed' });
    await expect(publisher.tellCast('c', { type: 'STARTED' })).rejects.toMatchObject({ code: 'closed' });
  });

  test('gives up what is left when time is up, and tells of each', async () => {
    const { publisher, asked, failures } = publisherTo(() => new Promise(() => {}), { concurrency: 1 });
    publisher.enqueue(event(1));
    publisher.enqueueCast('c', { type: 'STARTED' });
    await vi.advanceTimersByTimeAsync(0);
    publisher.enqueue(event(2));
    const closed = publisher.close({ timeout: 1_000 });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await closed).toBe(false);
    await vi.advanceTimersByTimeAsync(0);
    expect(failures.map(({ error }) => error.code)).toEqual(['closed', 'closed', 'closed']);
    expect([asked.length, publisher.queued, vi.getTimerCount()]).toEqual([1, 0, 0]);
  });
});

test('by default what is no event is told on the console, and nothing is thrown', () => {
  const said = vi.spyOn(console, 'error').mockReturnValue();
  const publisher = createPublisher({ url: 'http://x.test' });
  expect(publisher.enqueue(null as unknown as Draft)).toBe(false);
  expect(said.mock.calls).toEqual([
    [expect.stringContaining('was not published: invalid_event: the event is missing')],
  ]);
});
