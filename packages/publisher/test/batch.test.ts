import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { BATCH_BYTES, type Draft } from '../src/index.ts';
import { event, problem, publisherTo, rejection } from './support.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const numbers = (count: number): Draft[] => Array.from({ length: count }, (_, index) => event(index));

test('up to 100 events are one request, more are parts in order', async () => {
  const { publisher, asked } = publisherTo(() => undefined);
  const receipts = await publisher.publishBatch(numbers(250));
  expect(asked.map(({ body }) => body.events.length)).toEqual([100, 100, 50]);
  expect(asked.flatMap(({ body }) => body.events.map((one: Draft) => one.data))).toEqual(
    numbers(250).map((one) => one.data),
  );
  expect(receipts.map(({ id }) => Number(id))).toEqual(Array.from({ length: 250 }, (_, index) => index + 1));
});

test('no part is larger than 1 MiB', async () => {
  const { publisher, asked } = publisherTo(() => undefined);
  // Three bytes each in UTF-8: characters are not what is counted.
  const data = '€'.repeat(20_000);
  await publisher.publishBatch(Array.from({ length: 40 }, () => event(data)));
  const bytes = asked.map(({ body }) => Buffer.byteLength(JSON.stringify(body)));
  expect(bytes.length).toBe(3);
  expect(Math.max(...bytes)).toBeLessThanOrEqual(BATCH_BYTES);
  expect(bytes[0]).toBeGreaterThan(BATCH_BYTES - 61_000);
});

test('a part has no idempotency key twice for a channel', async () => {
  const { publisher, asked } = publisherTo(() => undefined);
  const keyed = (channel: string) => ({ ...event(1, channel), idempotencyKey: 'k' });
  await publisher.publishBatch([keyed('a'), keyed('b'), keyed('a')]);
  expect(asked.map(({ body }) => body.events.length)).toEqual([2, 1]);
});

test('nothing to publish is no request', async () => {
  const { publisher, asked } = publisherTo(() => undefined);
  expect(await publisher.publishBatch([])).toEqual([]);
  expect(asked).toHaveLength(0);
});

test('a part that fails ends it, and the error says what was published', async () => {
  const { publisher, asked } = publisherTo((_, count) => (count === 2 ? problem(409, 'channel_ended') : undefined));
  const error = await rejection(publisher.publishBatch(numbers(250)));
  expect(error).toMatchObject({ code: 'channel_ended', httpStatus: 409 });
  expect(error.published).toHaveLength(100);
  expect(asked).toHaveLength(2);
});

test('what is no JSON is refused before anything is sent', async () => {
  const { publisher, asked } = publisherTo(() => undefined);
  expect(await rejection(publisher.publishBatch([event(), event(1n)]))).toMatchObject({ code: 'invalid_event' });
  expect(asked).toHaveLength(0);
});

test('what is no event is refused, and no raw TypeError', async () => {
  const { publisher, asked, failures } = publisherTo(() => undefined);
  for (const nothing of [null, undefined, 'text']) {
    const event = nothing as unknown as Draft;
    const refused = {
      name: 'PublishError',
      code: 'invalid_event',
      detail: expect.stringMatching(/^the event is (missing|"text");/),
    };
    expect(await rejection(publisher.publish(event))).toMatchObject(refused);
    expect(await rejection(publisher.publishBatch([event]))).toMatchObject(refused);
    expect(publisher.enqueue(event)).toBe(false);
    expect(await rejection(publisher.publishBatch(nothing as unknown as Draft[]))).toMatchObject({
      name: 'PublishError',
      code: 'invalid_event',
      detail: 'the events must be an array',
    });
  }
  expect(failures).toHaveLength(3);
  expect(asked).toHaveLength(0);
});
