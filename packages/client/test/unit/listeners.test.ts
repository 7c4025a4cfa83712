// What listeners may answer: anything; only promises are waited for.

import { describe, expect, expectTypeOf, test } from 'vitest';
import { Delivery, type Listeners } from '../../src/delivery.ts';
import type { Client, Event, SnapshotListeners } from '../../src/index.ts';
import { settle } from '../support/clock.ts';

describe('the types', () => {
  test('take an arrow that answers what it calls', () => {
    const list: string[] = [];
    const follow = (client: Client) => [
      client.subscribe('a', ({ id }) => list.push(id)),
      client.subscribe('a', async ({ id }) => list.push(id)),
      client.subscribe('a', { onEvent: ({ id }) => list.push(id), onGap: ({ reason }) => list.push(reason) }),
      client.snapshot<string>('/a', 'a', {
        onSnapshot: (value) => list.push(value),
        onEvent: ({ id }) => list.push(id),
      }),
    ];
    expectTypeOf(follow).returns.items.toHaveProperty('close');
    expectTypeOf<(event: Event) => number>().toExtend<NonNullable<Listeners['onEvent']>>();
    expectTypeOf<(value: unknown) => Promise<number>>().toExtend<SnapshotListeners['onSnapshot']>();
  });

  test('take no listener of something else', () => {
    expectTypeOf<(event: string) => number>().not.toExtend<NonNullable<Listeners['onEvent']>>();
  });
});

test('what is no promise is not waited for, and one is', async () => {
  const told: unknown[] = [];
  const answers: unknown[] = [1, null, 'then', {}, new Promise((resolve) => setImmediate(resolve)), undefined];
  const failures: unknown[] = [];
  const listeners: Listeners<number> = {
    onEvent: ({ data }) => {
      told.push(data);
      return answers[data];
    },
  };
  const delivery = new Delivery(listeners as Listeners, 10, (error) => failures.push(error));
  for (const data of answers.keys())
    delivery.put({ event: { id: '', channel: 'a', type: 't', time: '', data } as never });
  expect(told).toEqual([0, 1, 2, 3, 4]);
  await settle();
  await settle();
  expect([told, failures]).toEqual([[0, 1, 2, 3, 4, 5], []]);
});
