import { afterEach, describe, expect, test, vi } from 'vitest';
import { createPublisher, enqueue, enqueueCast, publish, publishBatch, setDefaultPublisher } from '../src/index.ts';
import { event, publisherTo } from './support.ts';

afterEach(() => vi.unstubAllEnvs());

/** Where a publisher sends to, and with which credential. */
async function target(options: Parameters<typeof createPublisher>[0] = {}) {
  const fetch = vi.fn<typeof globalThis.fetch>(async () => Response.json({ events: [{ id: '1', duplicate: false }] }));
  await createPublisher({ ...options, fetch }).publish(event());
  const [url, init] = fetch.mock.calls[0] ?? [];
  return { url: String(url), authorization: new Headers(init?.headers).get('authorization') };
}

test('the functions of the module publish with the default publisher', async () => {
  const { asked, publisher } = publisherTo(() => undefined);
  setDefaultPublisher(publisher);
  expect(await publish(event())).toEqual({ id: '1', duplicate: false });
  expect(await publishBatch([event(), event()])).toHaveLength(2);
  expect(asked.map(({ body }) => body.events.length)).toEqual([1, 2]);
  expect([enqueue(event()), enqueueCast('c', { type: 'STARTED' }), publisher.queued]).toEqual([true, true, 2]);
  expect(await publisher.flush()).toBe(true);
  expect(asked.slice(2).map(({ path }) => path)).toEqual(['/v1/publish', '/api/casts/c/events']);
  setDefaultPublisher(undefined);
});

describe('url and key', () => {
  test('come from the options before the environment', async () => {
    vi.stubEnv('TIDINGS_URL', 'https://from.test');
    vi.stubEnv('TIDINGS_API_KEY', 'from-environment');
    expect(await target()).toEqual({ url: 'https://from.test/v1/publish', authorization: 'Bearer from-environment' });
    expect(await target({ url: 'http://option.test:8081', apiKey: 'k' })).toEqual({
      url: 'http://option.test:8081/v1/publish',
      authorization: 'Bearer k',
    });
  });

  test('have defaults where the environment has nothing', async () => {
    for (const nothing of [undefined, '']) {
      vi.stubEnv('TIDINGS_URL', nothing);
      vi.stubEnv('TIDINGS_API_KEY', nothing);
      expect(await target()).toEqual({ url: 'http://127.0.0.1:8080/v1/publish', authorization: null });
    }
  });

  test('may end with a line break', async () => {
    expect((await target({ apiKey: 'k\n' })).authorization).toBe('Bearer k');
  });

  test('keep a path', async () => {
    expect((await target({ url: new URL('https://x.test/tidings/') })).url).toBe('https://x.test/tidings/v1/publish');
  });
});

const wrong: readonly [object, string, ErrorConstructor][] = [
  [{ url: 'localhost:8080' }, 'http:// or https://', TypeError],
  [{ url: 'nonsense' }, 'is none', TypeError],
  [{ url: 'http://me:secret@x.test' }, 'has a user name or password', TypeError],
  [{ url: 5 }, '`url` is 5; it must be a string or URL', TypeError],
  [{ apiKey: 'a\nb' }, 'API key', TypeError],
  [{ apiKey: ['k'] }, '`apiKey` is of type array; it must be a string', TypeError],
  [{ timeout: 0 }, '`timeout` is 0; it must be a number, 1 or more', RangeError],
  [{ timeout: '5s' }, '`timeout` is "5s"; it must be a number', TypeError],
  [{ retry: 3 }, '`retry` is 3; it must be an object', TypeError],
  [{ retry: { attempts: Number.NaN } }, '`retry.attempts` is NaN; it must be a whole number, 1 or more', RangeError],
  [{ retry: { attempts: 0 } }, '`retry.attempts` is 0', RangeError],
  [{ retry: { within: '60s' } }, '`retry.within` is "60s"', TypeError],
  [{ retry: { initial: -1 } }, '`retry.initial` is -1', RangeError],
  [{ retry: { max: null } }, '`retry.max` is missing', TypeError],
  [{ queueLimit: -1 }, '`queueLimit` is -1', RangeError],
  [{ queueLimit: 1.5 }, '`queueLimit` is 1.5', RangeError],
  [{ queueBytes: '1MiB' }, '`queueBytes` is "1MiB"', TypeError],
  [{ queueAge: 0 }, '`queueAge` is 0; it must be a number from 1 to 82800000', RangeError],
  [{ queueAge: 82_800_001 }, '`queueAge` is 82800001', RangeError],
  [{ queueAge: Number.POSITIVE_INFINITY }, '`queueAge` is Infinity', RangeError],
  [{ queueAge: '1h' }, '`queueAge` is "1h"', TypeError],
  [{ concurrency: 0 }, '`concurrency` is 0', RangeError],
  [{ onError: 'log' }, '`onError` is "log"; it must be a function', TypeError],
  [{ onWaiting: 'log' }, '`onWaiting` is "log"; it must be a function', TypeError],
  [{ fetch: {} }, '`fetch` is of type object', TypeError],
];

test.each(wrong)('%o cannot be', (options, says, Kind) => {
  const make = () => createPublisher(options);
  expect(make).toThrow(says);
  expect(make).toThrow(Kind);
});

test('what may be makes a publisher; options are an object', async () => {
  const retry = { attempts: Number.POSITIVE_INFINITY, within: Number.POSITIVE_INFINITY, initial: 1, max: 1 };
  const none = { url: undefined, apiKey: undefined, onError: undefined, fetch: undefined };
  const options = { ...none, timeout: 1, retry, queueLimit: 1, queueBytes: 1, concurrency: 1 };
  await expect(createPublisher(options).close()).resolves.toBe(true);
  await expect(createPublisher({ retry: { attempts: undefined } }).close({ timeout: undefined })).resolves.toBe(true);
  for (const wrong of ['http://x.test', null, [], AbortSignal.abort()]) {
    expect(() => createPublisher(wrong as never)).toThrow('`options` is');
  }
});

describe('a call', () => {
  const signal = AbortSignal.timeout(60_000);

  test('is made with `{ signal }`, and with no other signal', async () => {
    const { asked, publisher } = publisherTo(() => undefined);
    for (const [options, says] of [
      [signal, '`options` is of type object; it must be { signal }'],
      [{ signal: 2000 }, '`signal` is 2000; it must be an AbortSignal'],
      [{ signal: new AbortController() }, '`signal` is of type object'],
      [2000, '`options` is 2000'],
    ] as const) {
      for (const call of [
        publisher.publish(event(), options as never),
        publisher.publishBatch([event()], options as never),
        publisher.tellCast('c', { type: 'STARTED' }, options as never),
      ]) {
        await expect(call).rejects.toThrow(says);
      }
    }
    expect(asked).toHaveLength(0);
    await publisher.publish(event(), { signal });
    await publisher.publish(event(), { signal: undefined });
    expect(asked).toHaveLength(2);
  });

  test('of `flush` and `close` is made with `{ timeout }`; a wrong one closes nothing', async () => {
    const { publisher } = publisherTo(() => undefined);
    for (const [options, says] of [
      [5000, '`options` is 5000; it must be { timeout }'],
      [{ timeout: '5s' }, '`timeout` is "5s"'],
      [{ timeout: Number.NaN }, '`timeout` is NaN'],
      [{ timeout: -1 }, '`timeout` is -1'],
    ] as const) {
      await expect(publisher.flush(options as never)).rejects.toThrow(says);
      await expect(publisher.close(options as never)).rejects.toThrow(says);
    }
    await publisher.publish(event());
    expect(await publisher.flush({ timeout: 0 })).toBe(true);
    expect(await publisher.close({ timeout: Number.POSITIVE_INFINITY })).toBe(true);
  });
});

test.each([
  [[event()], 'the event is of type array'],
  [{ type: 't', data: 1 }, "the event's `channel` is missing; it must be a string that is not empty"],
  [{ channel: 'a', data: 1 }, "the event's `type` is missing"],
  [{ channel: 7, type: 't', data: 1 }, "the event's `channel` is 7"],
])('%o is no event: nothing is sent', async (wrong, says) => {
  const { asked, publisher, failures } = publisherTo(() => undefined);
  const refused = { code: 'invalid_event', detail: expect.stringContaining(says) };
  await expect(publisher.publish(wrong as never)).rejects.toMatchObject(refused);
  expect(publisher.enqueue(wrong as never)).toBe(false);
  expect(failures).toMatchObject([{ error: refused }]);
  expect(asked).toHaveLength(0);
});

test('the global fetch is looked up at each call', async () => {
  const publisher = createPublisher({ url: 'http://x.test' });
  const stub = vi.fn(async () => Response.json({ events: [{ id: '7', duplicate: false }] }));
  vi.stubGlobal('fetch', stub);
  expect(await publisher.publish(event())).toEqual({ id: '7', duplicate: false });
  vi.unstubAllGlobals();
});
