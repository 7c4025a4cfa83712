import { expect, test } from 'vitest';
import { Delivery } from '../../src/delivery.ts';
import { event } from '../machine/cells.ts';
import { settle } from '../support/clock.ts';

test('a listener that answers a promise is given the next event after it', async () => {
  const order: string[] = [];
  let release = () => {};
  const delivery = new Delivery(
    {
      onEvent: async ({ data }) => {
        order.push(`begin ${data}`);
        await new Promise<void>((resolve) => {
          release = resolve;
        });
        order.push(`end ${data}`);
      },
    },
    10,
    () => {},
  );
  delivery.put({ event: event(1) });
  delivery.put({ event: event(2) });
  expect(order).toEqual(['begin 1']);
  release();
  await settle();
  expect(order).toEqual(['begin 1', 'end 1', 'begin 2']);
});

test('past the limit what waits is one gap, and later events come', async () => {
  const told: unknown[] = [];
  let release = () => {};
  const delivery = new Delivery(
    {
      onEvent: ({ data }) => {
        told.push(data);
        if (data !== 0) return;
        return new Promise<void>((resolve) => {
          release = resolve;
        });
      },
      onGap: ({ reason, channels, through }) => void told.push([reason, channels, through]),
    },
    3,
    () => {},
  );
  for (let n = 0; n < 5; n += 1) delivery.put({ event: event(n, `c:${n % 2}`) });
  delivery.put({ event: event(5) });
  release();
  await settle();
  expect(told).toEqual([0, ['overflow', ['c:1', 'c:0'], event(4).id], 5]);
});

test('what a listener throws or rejects with goes to onError, and what that throws is reported', async () => {
  const [errors, reported]: [unknown[], unknown[]] = [[], []];
  const delivery = new Delivery(
    {
      onEvent: ({ data }) => {
        if (data === 1) throw new Error('thrown');
        return Promise.reject(new Error('rejected'));
      },
      onError: (error) => {
        errors.push(error.message);
        throw new Error('worse');
      },
    },
    3,
    (error) => reported.push((error as Error).message),
  );
  delivery.put({ event: event(1) });
  delivery.put({ event: event(2) });
  await settle();
  expect(errors).toEqual(['thrown', 'rejected']);
  expect(reported).toEqual(['worse', 'worse']);
});

test('after it is closed nothing is called', async () => {
  const told: unknown[] = [];
  const delivery = new Delivery({ onEvent: async ({ data }) => void told.push(data) }, 3, () => {});
  delivery.put({ event: event(1) });
  delivery.put({ event: event(2) });
  delivery.close();
  await settle();
  expect(told).toEqual([1]);
});
