import { afterEach, expect, test, vi } from 'vitest';
import { environment } from '../../src/environment.ts';

afterEach(() => vi.restoreAllMocks());

test("the clock goes on where the platform's stood still, and never back", () => {
  let [wall, monotonic] = [1_000_000, 500];
  vi.spyOn(Date, 'now').mockImplementation(() => wall);
  vi.spyOn(performance, 'now').mockImplementation(() => monotonic);
  const { now } = environment();
  expect(now()).toBe(500);
  wall += 1000;
  monotonic += 1000;
  expect(now()).toBe(1500);
  // Ten minutes of sleep that the platform's clock did not see.
  wall += 600_000;
  expect(now()).toBe(601_500);
  // The time of day is set an hour back, and a little forward.
  wall -= 3_600_000;
  expect(now()).toBe(601_500);
  wall += 2000;
  monotonic += 10;
  expect(now()).toBe(601_510);
});
