// The queue on its own.

import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Frames } from '../../src/frame.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test('what belongs to the last frame goes first; then all in its order; then React, each component once', () => {
  const frames = new Frames();
  const told: string[] = [];
  const notify = () => told.push('notify');
  const own = () => told.push('own');
  const [one, other] = [{ notifiers: () => [notify, own] }, { notifiers: () => [notify] }];
  for (const name of ['a', 'b']) {
    frames.put(() => {
      told.push(name);
      frames.changed(one);
      frames.changed(other);
    });
  }
  frames.putFirst(() => told.push('first'));
  expect(told).toEqual([]);
  vi.advanceTimersByTime(16);
  expect(told).toEqual(['first', 'a', 'b', 'notify', 'own']);
  vi.advanceTimersByTime(1000);
  expect(told).toHaveLength(5);
});

test('an idle queue has no timer, and what comes while it is handed out waits for the next frame', () => {
  const frames = new Frames();
  const told: number[] = [];
  const again = (count: number) => {
    told.push(count);
    if (count < 3) frames.put(() => again(count + 1));
  };
  frames.put(() => again(1));
  expect(vi.getTimerCount()).toBe(1);
  for (const expected of [[1], [1, 2], [1, 2, 3]]) {
    vi.advanceTimersByTime(16);
    expect(told).toEqual(expected);
  }
  expect(vi.getTimerCount()).toBe(0);
});
