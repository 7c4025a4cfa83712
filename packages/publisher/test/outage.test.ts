// What the queue does while the server takes nothing. Time is the test's: hours pass at once.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import type { Draft } from '../src/index.ts';
import { type Asked, event, problem, publisherTo, refused } from './support.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const [SECOND, MINUTE, HOUR] = [1_000, 60_000, 3_600_000];

const pass = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);

/** What was published, in the order of the answers; each event once, as the server has it. */
function log(asked: readonly Asked[], isTaken: (asked: Asked) => boolean): unknown[] {
  const events = new Map<string, unknown>();
  for (const { body } of asked.filter(isTaken)) {
    for (const one of body.events) if (!events.has(one.idempotencyKey)) events.set(one.idempotencyKey, one.data);
  }
  return [...events.values()];
}

/** A server that is away until this time, counted from now. */
function awayFor(milliseconds: number, how: () => Response | Error = refused) {
  const back = Date.now() + milliseconds;
  const isTaken = ({ at }: Asked) => at >= back;
  return { back, isTaken, reply: (asked: Asked) => (isTaken(asked) ? undefined : how()) };
}

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, index) => from + index);

describe('while the server is away, the queue', () => {
  test.each<[string, () => Response | Error]>([
    ['refuses connections', refused],
    ['is behind a proxy that says so', () => new Response('', { status: 502 })],
    ['is being stopped', () => problem(503, 'server_shutdown')],
  ])('holds what it has for as long as it %s', async (_, how) => {
    const { isTaken, reply } = awayFor(50 * MINUTE, how);
    const { publisher, asked, failures, waits } = publisherTo(reply);
    for (const data of numbers(250)) publisher.enqueue(event(data));
    await pass(20 * MINUTE);
    for (const data of numbers(50, 250)) publisher.enqueue(event(data));
    await pass(29 * MINUTE);
    expect([publisher.queued, failures.length]).toEqual([300, 0]);
    await pass(MINUTE + 11 * SECOND);
    expect(failures).toEqual([]);
    expect(publisher.queued).toBe(0);
    expect(log(asked, isTaken)).toEqual(numbers(300));
    // That it waits was said once.
    expect(waits).toMatchObject([{ isTemporary: true, attempts: 1 }]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test('holds what is told of casts, more of them than it sends at a time', async () => {
    const { isTaken, reply } = awayFor(50 * MINUTE);
    const { publisher, asked, failures } = publisherTo(reply, { concurrency: 2 });
    for (const progress of [1, 2, 3]) {
      for (const id of numbers(20)) publisher.enqueueCast(`c${id}`, { type: 'PROGRESS_UPDATE', data: { progress } });
    }
    await pass(50 * MINUTE + 11 * SECOND);
    expect([failures, publisher.queued]).toEqual([[], 0]);
    for (const id of numbers(20)) {
      const told = asked.filter((one) => isTaken(one) && one.path === `/api/casts/c${id}/events`);
      expect(told.map(({ body }) => body.data.progress)).toEqual([1, 2, 3]);
    }
  });

  test('takes nothing more once it is full', async () => {
    const { isTaken, reply } = awayFor(10 * MINUTE);
    const { publisher, asked, failures } = publisherTo(reply, { queueLimit: 100 });
    await pass(MINUTE);
    expect(numbers(110).filter((data) => publisher.enqueue(event(data)))).toEqual(numbers(100));
    expect(failures.map(({ error }) => error.code)).toEqual(Array(10).fill('queue_full'));
    await pass(10 * MINUTE);
    expect(log(asked, isTaken)).toEqual(numbers(100));
  });

  test('asks no more often for having more to send', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(1);
    const { publisher, asked } = publisherTo(refused);
    for (const id of numbers(500)) publisher.enqueueCast(`c${id}`, { type: 'STARTED' });
    await pass(0);
    expect(asked).toHaveLength(4);
    await pass(30 * MINUTE);
    const times = [...new Set(asked.map(({ at }) => at - (asked[0]?.at ?? 0)))];
    // What fails together counts once.
    expect(times.slice(0, 6)).toEqual([0, 100, 300, 700, 1_500, 3_100]);
    // Four at a time; after 100, 200, … 6,400 ms and then every ten seconds.
    expect(asked.length).toBeLessThanOrEqual(4 * (8 + 180));
    expect(asked.length).toBeGreaterThan(4 * 180);
    expect(publisher.queued).toBe(500);
  });

  test('begins anew with its pauses once something is taken that was sent after the failure', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(1);
    const began = Date.now();
    const isFailing = ({ path, at }: Asked) => path.includes('/fails/') && at - began !== 3_100;
    const isSlow = ({ path }: Asked) => path.includes('/slow/');
    const { publisher, asked } = publisherTo(async (one) => {
      if (isSlow(one)) await new Promise((resolve) => setTimeout(resolve, SECOND));
      return isFailing(one) ? refused() : undefined;
    });
    for (const id of ['slow', 'fails']) publisher.enqueueCast(id, { type: 'STARTED' });
    await pass(4 * SECOND);
    publisher.enqueueCast('fails', { type: 'STARTED' });
    await pass(SECOND);
    const times = asked.filter((one) => !isSlow(one)).map(({ at }) => at - began);
    // That the slow one is answered after a second says nothing of what came later.
    expect(times).toEqual([0, 100, 300, 700, 1_500, 3_100, 4_000, 4_100, 4_300, 4_700]);
  });

  test('waits out a Retry-After in all of its lanes', async () => {
    const { publisher, asked } = publisherTo((_, count) =>
      count === 1 ? problem(429, 'rate_limited', {}, { 'retry-after': '300' }) : undefined,
    );
    publisher.enqueue(event(1));
    await pass(0);
    publisher.enqueueCast('c', { type: 'STARTED' });
    await pass(299 * SECOND);
    expect(asked).toHaveLength(1);
    await pass(2 * SECOND);
    expect([asked.length, publisher.queued]).toEqual([3, 0]);
  });

  test('may be flushed or closed: neither waits for longer than it was told', async () => {
    const { publisher, failures } = publisherTo(refused);
    for (const data of numbers(150)) publisher.enqueue(event(data));
    publisher.enqueueCast('c', { type: 'STARTED' });
    await pass(5 * MINUTE);
    const flushed = publisher.flush({ timeout: 2 * SECOND });
    await pass(2 * SECOND);
    expect([await flushed, publisher.queued, failures.length]).toEqual([false, 151, 0]);
    const closed = publisher.close();
    await pass(30 * SECOND);
    expect([await closed, publisher.queued, vi.getTimerCount()]).toEqual([false, 0, 0]);
    expect(failures.map(({ error }) => error.code)).toEqual(Array(151).fill('closed'));
  });

  test('keeps nothing that fails while it is closed', async () => {
    vi.spyOn(Math, 'random').mockReturnValue(1);
    for (const steps of numbers(40)) {
      const { publisher, failures, asked } = publisherTo(async () => {
        await new Promise((resolve) => setTimeout(resolve, SECOND - 1));
        return refused();
      });
      publisher.enqueue(event(1));
      await pass(0);
      const closed = publisher.close({ timeout: SECOND });
      vi.advanceTimersByTime(SECOND - 1);
      // So many steps after it has failed the time is up: among them those between the failure and its being noted.
      for (const _ of numbers(steps)) await undefined;
      vi.advanceTimersByTime(1);
      await closed;
      await pass(0);
      expect([publisher.queued, asked.length, vi.getTimerCount()]).toEqual([0, 1, 0]);
      expect(failures).toMatchObject([{ error: { code: 'closed' } }]);
    }
  });
});

describe('an event that waits for too long', () => {
  test('is given up by its own age, however many wait before it', async () => {
    const began = Date.now();
    const { publisher, asked, failures } = publisherTo(refused);
    for (const data of numbers(250)) publisher.enqueue(event(data));
    await pass(10 * MINUTE);
    for (const id of numbers(10)) publisher.enqueueCast(`c${id}`, { type: 'STARTED' });
    await pass(50 * MINUTE - 1);
    expect(failures).toHaveLength(0);
    await pass(2);
    expect(failures).toHaveLength(250);
    expect(failures.map(({ at }) => at - began).filter((age) => age < HOUR || age > HOUR + 1)).toEqual([]);
    expect(failures.map(({ enqueued }) => enqueued.kind === 'event' && enqueued.event.data)).toEqual(numbers(250));
    expect(failures[0]?.error).toMatchObject({
      code: 'too_old',
      httpStatus: undefined,
      isTemporary: true,
      detail: expect.stringMatching(/^the event waited for 3600000 ms in the queue.*ECONNREFUSED$/),
      cause: { code: 'unreachable' },
    });
    expect(failures[0]?.error.attempts).toBeGreaterThan(100);
    // It was sent with the first once, and then it was not its turn.
    expect(failures[99]?.error.attempts).toBe(1);
    expect(failures[249]?.error.attempts).toBe(0);
    await pass(10 * MINUTE);
    expect(failures).toHaveLength(260);
    expect([publisher.queued, vi.getTimerCount()]).toEqual([0, 0]);
    const count = asked.length;
    await pass(HOUR);
    expect(asked).toHaveLength(count);
  });

  test('makes room, and what was given up is sent no more', async () => {
    const { isTaken, reply } = awayFor(10 * MINUTE);
    const { publisher, asked, failures } = publisherTo(reply, { queueLimit: 2, queueAge: 5 * MINUTE });
    expect([1, 2, 3].map((data) => publisher.enqueue(event(data)))).toEqual([true, true, false]);
    await pass(6 * MINUTE);
    expect([4, 5, 6].map((data) => publisher.enqueue(event(data)))).toEqual([true, true, false]);
    await pass(6 * MINUTE);
    expect(log(asked, isTaken)).toEqual([4, 5]);
    expect(failures.map(({ error }) => error.code)).toEqual(['queue_full', 'too_old', 'too_old', 'queue_full']);
  });

  test('may wait for less than the pause', async () => {
    const { publisher, failures } = publisherTo(() => problem(503, 'capacity', {}, { 'retry-after': '600' }), {
      queueAge: 5 * SECOND,
    });
    publisher.enqueue(event(1));
    await pass(5 * SECOND + 1);
    expect(failures).toMatchObject([{ error: { code: 'too_old', cause: { code: 'capacity' } } }]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('an event that always fails', () => {
  const hasPoison = ({ body }: Asked) => body.events.some((one: Draft) => one.data === 'poison');

  test('does not keep back what came before it; what came after it follows once it is given up', async () => {
    const { publisher, asked, failures } = publisherTo((one) => (hasPoison(one) ? refused() : undefined));
    for (const data of [...numbers(40), 'poison', ...numbers(40, 40)]) publisher.enqueue(event(data));
    await pass(2 * MINUTE);
    const isTaken = (one: Asked) => !hasPoison(one);
    expect(log(asked, isTaken)).toEqual(numbers(40));
    await pass(30 * MINUTE);
    // Later than the others: it is not too old when they are.
    publisher.enqueue(event(80));
    await pass(30 * MINUTE);
    expect(failures.map(({ enqueued }) => enqueued.kind === 'event' && enqueued.event.data)).toContain('poison');
    expect(log(asked, isTaken).at(-1)).toBe(80);
    expect(publisher.queued).toBe(0);
  });

  test('is given up after `retry.within` where it is the server that fails at it, and the others go on', async () => {
    const { publisher, asked, failures } = publisherTo((one) =>
      hasPoison(one) ? problem(500, 'internal') : undefined,
    );
    for (const data of [...numbers(10), 'poison', ...numbers(10, 10)]) publisher.enqueue(event(data));
    await pass(90 * SECOND);
    expect(failures).toMatchObject([
      { error: { code: 'internal', httpStatus: 500 }, enqueued: { event: { data: 'poison' } } },
    ]);
    expect(failures[0]?.error.attempts).toBeGreaterThan(5);
    expect(log(asked, (one) => !hasPoison(one))).toEqual(numbers(20));
  });

  test('of a batch that is sent without a refused one: those before it are done with', async () => {
    let isAway = true;
    const dataOf = (one: Asked) => one.body.events.map((draft: Draft) => draft.data);
    const { publisher, asked, failures } = publisherTo((one) => {
      const data = dataOf(one);
      if (data.includes(1)) return problem(409, 'channel_ended');
      return data[0] === 2 && isAway ? refused() : undefined;
    });
    for (const data of numbers(4)) publisher.enqueue(event(data));
    await pass(MINUTE);
    isAway = false;
    await pass(MINUTE);
    expect(failures).toMatchObject([{ error: { code: 'channel_ended' }, enqueued: { event: { data: 1 } } }]);
    expect(asked.map(dataOf).filter((data) => data[0] !== 2)).toEqual([[0, 1, 2, 3], [0], [1], [3]]);
  });

  test('does not hold up other casts', async () => {
    const isStuck = ({ path }: Asked) => path.includes('stuck');
    const { publisher, asked } = publisherTo((one) => (isStuck(one) ? new Response('', { status: 504 }) : undefined), {
      concurrency: 1,
    });
    for (const id of numbers(4)) publisher.enqueueCast(`stuck${id}`, { type: 'STARTED' });
    for (const id of numbers(40)) publisher.enqueueCast(`c${id}`, { type: 'STARTED' });
    await pass(MINUTE);
    expect(asked.filter((one) => !isStuck(one))).toHaveLength(40);
    expect(publisher.queued).toBe(4);
  });
});

describe('that the queue waits', () => {
  beforeEach(() => void vi.spyOn(Math, 'random').mockReturnValue(1));

  test('is said again at the next outage, and no more than once a minute', async () => {
    let isAway = true;
    const { publisher, waits } = publisherTo(() => (isAway ? refused() : undefined));
    for (const _ of numbers(10)) {
      isAway = true;
      publisher.enqueue(event());
      await pass(SECOND);
      isAway = false;
      await pass(2 * SECOND);
      expect(publisher.queued).toBe(0);
    }
    expect(waits).toHaveLength(1);
    await pass(MINUTE);
    isAway = true;
    publisher.enqueue(event());
    await pass(0);
    expect(waits).toHaveLength(2);
  });

  test('is said late rather than never', async () => {
    let isAway = true;
    const { publisher, waits } = publisherTo(() => (isAway ? refused() : undefined));
    publisher.enqueue(event());
    await pass(SECOND);
    isAway = false;
    await pass(20 * SECOND);
    isAway = true;
    publisher.enqueue(event());
    await pass(0);
    expect(waits).toHaveLength(1);
    await pass(2 * MINUTE);
    expect(waits).toHaveLength(2);
  });

  test('is a line on the console by default; what `onWaiting` throws is one too', async () => {
    const said = vi.spyOn(console, 'error').mockReturnValue();
    publisherTo(refused, { onWaiting: undefined as never }).publisher.enqueue(event());
    await pass(0);
    expect(said.mock.calls).toEqual([
      [
        'tidings: the queue waits for the server: unreachable: no answer from http://tidings.test: connect ECONNREFUSED',
      ],
    ]);
    const onWaiting = () => {
      throw new Error('in onWaiting');
    };
    const { publisher } = publisherTo((_, count) => (count === 1 ? refused() : undefined), { onWaiting });
    publisher.enqueue(event());
    await pass(SECOND);
    expect([publisher.queued, said.mock.calls.length]).toEqual([0, 2]);
  });
});
