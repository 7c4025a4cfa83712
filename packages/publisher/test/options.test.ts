import { afterEach, describe, expect, test, vi } from 'vitest';
import { createPublisher, publish, publishBatch, setDefaultPublisher } from '../src/index.ts';
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

test.each([
  [{ url: 'localhost:8080' }, 'http:// or https://'],
  [{ url: 'nonsense' }, 'is none'],
  [{ timeout: 0 }, 'timeout'],
  [{ apiKey: 'a\nb' }, 'API key'],
  [{ queueLimit: -1 }, 'queueLimit'],
  [{ retry: { attempts: Number.NaN } }, 'retry.attempts'],
])('%j cannot be', (options, says) => {
  expect(() => createPublisher(options)).toThrow(says);
});

test('the global fetch is looked up at each call', async () => {
  const publisher = createPublisher({ url: 'http://x.test' });
  const stub = vi.fn(async () => Response.json({ events: [{ id: '7', duplicate: false }] }));
  vi.stubGlobal('fetch', stub);
  expect(await publisher.publish(event())).toEqual({ id: '7', duplicate: false });
  vi.unstubAllGlobals();
});
