// Against the real server: TIDINGS_BIN names the binary.

import { type Key, Server } from '@tidings/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createPublisher, PublishError, type Publisher } from '../../src/index.ts';

let server: Server;
let key: Key;
let publisher: Publisher;

beforeAll(async () => {
  server = await Server.start();
  key = await server.key();
  publisher = createPublisher({ url: server.url, apiKey: key.key });
});
afterAll(() => server?.stop());

const dataOf = async (channel: string) => (await server.history(key.key, channel)).map(({ data }) => data);

describe('publishing', () => {
  test('gives the place in the log of an event that is there', async () => {
    const receipt = await publisher.publish({ channel: 'a:1', type: 'saved', data: { n: 1 } });
    expect(receipt).toEqual({ id: expect.stringMatching(/^[0-9A-V]{13}\.[0-9A-V]{7}$/), duplicate: false });
    expect(await server.history(key.key, 'a:1')).toMatchObject([{ id: receipt.id, type: 'saved', data: { n: 1 } }]);
  });

  test('of 1,050 events keeps their order across the parts', async () => {
    const events = Array.from({ length: 1_050 }, (_, n) => ({ channel: 'many', type: 't', data: n }));
    const receipts = await publisher.publishBatch(events);
    expect(new Set(receipts.map(({ id }) => id)).size).toBe(1_050);
    expect(await dataOf('many')).toEqual(events.map(({ data }) => data));
  });

  test('of a batch of 3 MiB passes the limit of one request', async () => {
    const events = Array.from({ length: 60 }, (_, n) => ({
      channel: 'large',
      type: 't',
      data: [n, 'x'.repeat(50_000)],
    }));
    await publisher.publishBatch(events);
    expect((await dataOf('large')).map(([n]) => n)).toEqual(events.map((_, n) => n));
  });

  test('again with the same idempotency key is the same event', async () => {
    const event = { channel: 'once', type: 't', data: 1, idempotencyKey: 'k' };
    const first = await publisher.publish(event);
    expect(await publisher.publish(event)).toEqual({ id: first.id, duplicate: true });
    const other = publisher.publish({ ...event, data: 2 });
    await expect(other).rejects.toMatchObject({ code: 'idempotency_conflict', httpStatus: 409, attempts: 1 });
  });

  test('is refused with the server’s words', async () => {
    const refused = (events: Parameters<Publisher['publishBatch']>[0]) =>
      publisher.publishBatch(events).catch((error: unknown) => error);
    expect(await refused([{ channel: 'a b', type: 't', data: 1 }])).toMatchObject({
      code: 'invalid_channel',
      httpStatus: 400,
    });
    const error = await refused([
      { channel: 'a', type: 't', data: 1 },
      { channel: 'a', type: 'error', data: 1 },
    ]);
    expect(error).toBeInstanceOf(PublishError);
    expect(error).toMatchObject({ code: 'reserved_type', at: '/events/1/type' });
    expect(await refused([{ channel: 'cast:1', type: 't', data: 1 }])).toMatchObject({
      code: 'reserved_channel',
      httpStatus: 403,
    });
    expect(await refused([{ channel: 'a', type: 't', data: 'x'.repeat(70_000) }])).toMatchObject({
      code: 'body_too_large',
      httpStatus: 413,
    });
  });

  test('without a credential is refused, with one that may not too', async () => {
    const event = { channel: 'a', type: 't', data: 1 };
    const nobody = createPublisher({ url: server.url, apiKey: '' });
    await expect(nobody.publish(event)).rejects.toMatchObject({ code: 'unauthenticated', httpStatus: 401 });
    const narrow = createPublisher({ url: server.url, apiKey: (await server.key(['publish:b:*'])).key });
    await expect(narrow.publish(event)).rejects.toMatchObject({ httpStatus: 403 });
    expect(await narrow.publish({ ...event, channel: 'b:1' })).toMatchObject({ duplicate: false });
  });
});

describe('enqueued events', () => {
  test('are published in order; one that is refused is told and the others are not held up', async () => {
    const failures: unknown[] = [];
    const queued = createPublisher({
      url: server.url,
      apiKey: key.key,
      onError: (error, what) => failures.push([error.code, what]),
    });
    for (let n = 0; n < 500; n += 1)
      queued.enqueue({ channel: `queue:${n % 5}`, type: n === 250 ? 'error' : 't', data: n });
    expect(await queued.close()).toBe(true);
    expect(failures).toMatchObject([['reserved_type', { kind: 'event', event: { data: 250 } }]]);
    const expected = Array.from({ length: 500 }, (_, n) => n).filter((n) => n !== 250);
    expect(await dataOf('queue:*')).toEqual(expected);
  });
});
