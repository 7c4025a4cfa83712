// What programs with `exactOptionalPropertyTypes` hand over; it is `tsc` that tests most of it.

import { expect, test } from 'vitest';
import { createPublisher, type Draft, type PublisherOptions } from '../src/index.ts';
import { publisherTo } from './support.ts';

test('options may come from the environment as they are', () => {
  const { NOBODY_SETS_THIS: url, NOR_THIS: apiKey } = process.env;
  expect(createPublisher({ url, apiKey })).toBeDefined();
  expect(createPublisher({ url: process.env['NOBODY_SETS_THIS'], apiKey: process.env['NOR_THIS'] })).toBeDefined();
  const nothing: { [name in keyof PublisherOptions]-?: undefined } = {
    url: undefined,
    apiKey: undefined,
    timeout: undefined,
    retry: undefined,
    queueLimit: undefined,
    queueBytes: undefined,
    queueAge: undefined,
    concurrency: undefined,
    onError: undefined,
    onWaiting: undefined,
    fetch: undefined,
  };
  expect(createPublisher(nothing)).toBeDefined();
});

test('members of an event may be undefined, and are as if they were not there', async () => {
  const { publisher, asked } = publisherTo(() => undefined);
  const draft: Draft<number> = {
    channel: 'a',
    type: 't',
    data: 1,
    also: undefined,
    key: undefined,
    category: undefined,
    version: undefined,
    mutationId: undefined,
    terminal: undefined,
    actor: undefined,
    idempotencyKey: undefined,
  };
  await publisher.publish(draft);
  await publisher.publishBatch([draft]);
  publisher.enqueue(draft);
  await publisher.flush();
  for (const { body } of asked) {
    expect(body.events).toEqual([{ channel: 'a', type: 't', data: 1, idempotencyKey: expect.any(String) }]);
  }
  expect(asked).toHaveLength(3);
});

test('what an event needs it needs', () => {
  // @ts-expect-error: a channel is a text
  const noChannel: Draft = { channel: undefined, type: 't', data: 1 };
  // @ts-expect-error: an event has a type
  const noType: Draft = { channel: 'a', data: 1 };
  // @ts-expect-error: its data are of the type that was said
  const otherData: Draft<number> = { channel: 'a', type: 't', data: undefined };
  expect([noChannel, noType, otherData]).toHaveLength(3);
});

test('what is told of a cast may have undefined members', async () => {
  const { publisher, asked } = publisherTo(() => undefined);
  const telling = { type: 'STARTED', data: { message: undefined }, userId: undefined, idempotencyKey: undefined };
  await publisher.tellCast('c', { ...telling, mutationId: undefined });
  expect(asked[0]?.body).toEqual({ type: 'STARTED', data: {}, idempotencyKey: expect.any(String) });
});
