import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { PublishError } from '../src/index.ts';
import { event, inNoTime, problem, publisherTo, refused, rejection } from './support.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** The pauses between requests. */
function pauses(asked: readonly { at: number }[]): number[] {
  return asked.slice(1).map((one, index) => one.at - (asked[index]?.at ?? 0));
}

describe('a request that fails for the moment', () => {
  test('is sent again with the same idempotency key until it is answered', async () => {
    const { publisher, asked } = publisherTo(
      (_, count) => [refused(), problem(503, 'storage_failed'), new Response('', { status: 502 })][count - 1],
    );
    const result = await inNoTime(publisher.publish(event()));
    expect(result).toMatchObject({ status: 'fulfilled', value: { id: '1', duplicate: false } });
    const keys = asked.map(({ body }) => body.events[0].idempotencyKey);
    expect(keys).toHaveLength(4);
    expect(new Set(keys).size).toBe(1);
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('keeps the key that it was given', async () => {
    const { publisher, asked } = publisherTo(() => undefined);
    await inNoTime(publisher.publish({ ...event(), idempotencyKey: 'mine' }));
    expect(asked[0]?.body.events[0].idempotencyKey).toBe('mine');
  });

  test('waits for pauses that double up to the longest, drawn from 0 on', async () => {
    const retry = { attempts: 7, initial: 100, max: 1_000 };
    vi.spyOn(Math, 'random').mockReturnValue(1);
    const longest = publisherTo(refused, { retry });
    await rejection(longest.publisher.publish(event()));
    expect(pauses(longest.asked)).toEqual([100, 200, 400, 800, 1_000, 1_000]);
    vi.spyOn(Math, 'random').mockReturnValue(0.25);
    const drawn = publisherTo(refused, { retry });
    await rejection(drawn.publisher.publish(event()));
    expect(pauses(drawn.asked)).toEqual([25, 50, 100, 200, 250, 250]);
  });

  test.each([
    ['seconds', () => '3'],
    ['a date', () => new Date(Date.now() + 3_000).toUTCString()],
  ])('waits out a Retry-After in %s', async (_, header) => {
    vi.setSystemTime(new Date('2026-01-01T00:00:00Z'));
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    const { publisher, asked } = publisherTo((_, count) =>
      count === 1 ? problem(429, 'rate_limited', {}, { 'retry-after': header() }) : undefined,
    );
    await inNoTime(publisher.publish(event()));
    expect(pauses(asked)).toEqual([3_050]);
  });

  test('is given up after so many attempts', async () => {
    const { publisher, asked } = publisherTo(refused, { retry: { attempts: 3 } });
    const error = await rejection(publisher.publish(event()));
    expect(error).toMatchObject({ code: 'unreachable', attempts: 3, httpStatus: undefined, isTemporary: true });
    expect(error.message).toBe('unreachable: no answer from http://tidings.test: connect ECONNREFUSED');
    expect(asked).toHaveLength(3);
  });

  test('is tried for a minute where no number of attempts is given', async () => {
    // Half of the longest pause: ten attempts would be over after 25 seconds.
    vi.spyOn(Math, 'random').mockReturnValue(0.5);
    const { publisher, asked } = publisherTo(refused);
    const began = Date.now();
    const error = await rejection(publisher.publish(event()));
    expect(error).toMatchObject({ code: 'unreachable', attempts: asked.length });
    expect(Date.now() - began).toBeGreaterThan(50_000);
    expect(Date.now() - began).toBeLessThanOrEqual(60_000);
    const back = publisherTo(() => (Date.now() - began < 105_000 ? refused() : undefined));
    expect(await inNoTime(back.publisher.publish(event()))).toMatchObject({ status: 'fulfilled' });
  });

  test('is given up when the next pause would lead past the time allowed', async () => {
    const { publisher, asked } = publisherTo(() => problem(503, 'capacity', {}, { 'retry-after': '120' }));
    const began = Date.now();
    const error = await rejection(publisher.publish(event()));
    expect(error).toMatchObject({ code: 'capacity', httpStatus: 503, retryAfter: 120_000, attempts: 1 });
    expect([asked.length, Date.now() - began]).toEqual([1, 0]);
    const slow = publisherTo(refused, { retry: { attempts: 1_000, within: 5_000, initial: 100, max: 100 } });
    vi.spyOn(Math, 'random').mockReturnValue(1);
    await rejection(slow.publisher.publish(event()));
    expect(slow.asked).toHaveLength(51);
  });

  test('may be waited for without an end', async () => {
    const endless = { attempts: Number.POSITIVE_INFINITY, within: Number.POSITIVE_INFINITY };
    const options = { timeout: Number.POSITIVE_INFINITY, retry: endless };
    const { publisher, asked } = publisherTo((_, count) => (count < 500 ? refused() : undefined), options);
    expect(await inNoTime(publisher.publish(event()))).toMatchObject({ status: 'fulfilled' });
    expect(asked).toHaveLength(500);
    publisher.enqueue(event());
    expect(await publisher.flush({ timeout: Number.POSITIVE_INFINITY })).toBe(true);
  });

  test('is one attempt when no answer comes in time', async () => {
    const { publisher, asked } = publisherTo(() => new Promise(() => {}), { timeout: 2_000, retry: { attempts: 2 } });
    const error = await rejection(publisher.publish(event()));
    expect(error).toMatchObject({ code: 'timed_out', attempts: 2 });
    expect(asked).toHaveLength(2);
  });
});

/** What Express, Koa, Fastify, Nest, h3 and Nitro read off an error to answer their own caller. */
const TAKEN = [
  'status',
  'statusCode',
  'statusMessage',
  'statusText',
  'expose',
  'headers',
  'fatal',
  'unhandled',
  'data',
];

describe('a refusal', () => {
  test('is not taken by a framework for its own answer', async () => {
    const { publisher } = publisherTo(() => problem(401, 'unauthenticated'));
    const error = await rejection(publisher.publish(event()));
    expect(error).toMatchObject({ httpStatus: 401, code: 'unauthenticated' });
    expect(TAKEN.filter((name) => name in error)).toEqual([]);
  });

  test('is told at once with everything that the server said', async () => {
    const current = { id: 'cast_1', status: 'succeeded' };
    const { publisher, asked } = publisherTo(() => problem(409, 'illegal_transition', { current, at: '/type' }));
    const error = await rejection(publisher.tellCast('cast_1', { type: 'STARTED' }));
    expect(error).toBeInstanceOf(PublishError);
    expect(error).toMatchObject({
      code: 'illegal_transition',
      httpStatus: 409,
      detail: 'because of illegal_transition',
      at: '/type',
      current,
      isTemporary: false,
    });
    expect(asked).toHaveLength(1);
  });

  test.each([400, 401, 403, 404, 405, 409, 413])('of status %d is not tried again', async (status) => {
    const { publisher, asked } = publisherTo(() => problem(status, 'some_code'));
    expect(await rejection(publisher.publish(event()))).toMatchObject({ httpStatus: status, code: 'some_code' });
    expect(asked).toHaveLength(1);
  });

  test.each([
    [
      'a page',
      () => new Response('<html>', { headers: { 'content-type': 'text/html' } }),
      'does Tidings listen there?',
    ],
    ['other JSON', () => Response.json({ ok: true }), 'does Tidings listen there?'],
    ['too few receipts', () => Response.json({ events: [] }), 'a receipt for each event'],
    [
      'a redirect',
      () => new Response(null, { status: 308, headers: { location: 'https://elsewhere.test/' } }),
      'set the url',
    ],
    ['a page that is refused', () => new Response('<html>', { status: 404 }), '404 without a reason'],
    ['an endless answer', () => new Response('x'.repeat(2 * 1024 * 1024)), 'larger than'],
  ])('is %s from something that is not Tidings', async (_, reply, says) => {
    const { publisher, asked } = publisherTo(reply);
    const error = await rejection(publisher.publish(event()));
    expect(error.code).toBe('unexpected_answer');
    expect(error.detail).toContain(says);
    expect(asked).toHaveLength(1);
  });
});

describe('a signal', () => {
  test('ends the request under way', async () => {
    const { publisher } = publisherTo(() => new Promise(() => {}));
    const controller = new AbortController();
    const published = publisher.publish(event(), { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(published).rejects.toThrow('enough');
    expect(vi.getTimerCount()).toBe(0);
  });

  test('ends the pause before the next attempt', async () => {
    const { publisher, asked } = publisherTo(() => problem(503, 'capacity', {}, { 'retry-after': '30' }));
    const controller = new AbortController();
    const published = Promise.allSettled([publisher.publish(event(), { signal: controller.signal })]);
    await vi.advanceTimersByTimeAsync(10_000);
    controller.abort(new Error('enough'));
    expect((await published)[0]).toMatchObject({ reason: { message: 'enough' } });
    expect([asked.length, vi.getTimerCount()]).toEqual([1, 0]);
  });

  test('that is aborted sends nothing', async () => {
    const { publisher, asked } = publisherTo(() => undefined);
    await expect(publisher.publish(event(), { signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow('no');
    expect(asked).toHaveLength(0);
  });
});
