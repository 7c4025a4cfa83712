// Rendering on a server: Node, no window.

import {
  isSSESupported,
  TidingsProvider,
  useCastEvents,
  useCastPolling,
  useCastStatus,
  useCasts,
  useChannel,
  useClient,
  useConnectionStatus,
  useSnapshot,
} from '@tidings/react';
import { StrictMode } from 'react';
import { renderToString } from 'react-dom/server';
import { afterEach, describe, expect, test, vi } from 'vitest';

const createClient = vi.hoisted(() => vi.fn());
vi.mock('@tidings/client', async (original) => ({
  ...(await original<typeof import('@tidings/client')>()),
  createClient,
}));

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

function Everything() {
  const state = {
    cast: useCastEvents({ castId: 'c1' }),
    status: useCastStatus('c1'),
    polling: useCastPolling('c1'),
    casts: useCasts(['c1', 'c2']),
    channel: useChannel('doc'),
    snapshot: useSnapshot('/api/doc', 'doc', (value) => value),
    connection: useConnectionStatus(),
    client: useClient().status.state,
  };
  return JSON.stringify(state);
}

describe('on a server', () => {
  for (const [name, tree] of [
    ['without a provider', <Everything key="1" />],
    [
      'with a provider',
      <TidingsProvider key="2" url="https://a.test">
        <Everything />
      </TidingsProvider>,
    ],
  ] as const) {
    test(`${name} nothing is made, fetched or planned`, () => {
      const fetch = vi.fn();
      const setTimeout = vi.spyOn(globalThis, 'setTimeout');
      const error = vi.spyOn(console, 'error');
      vi.stubGlobal('fetch', fetch);
      expect('window' in globalThis).toBe(false);
      const html = renderToString(<StrictMode>{tree}</StrictMode>);
      const state = JSON.parse(html.replaceAll('&quot;', '"'));
      expect(state).toEqual({
        cast: { isConnected: false, lastEvent: null, lastUpdate: null, error: null, reconnectCount: 0 },
        status: { status: null, isTerminal: false, isConnected: false },
        polling: { cast: null, isPolling: false, error: null },
        casts: { casts: {}, isConnected: false, errors: {} },
        channel: { isConnected: false, isReady: false, lastEvent: null, error: null },
        snapshot: { isConnected: false, isReady: false, error: null },
        connection: { state: 'idle', transport: null, error: null, attempt: 0, nextAttemptAt: null },
        client: 'idle',
      });
      expect(createClient).not.toHaveBeenCalled();
      expect(fetch).not.toHaveBeenCalled();
      expect(setTimeout).not.toHaveBeenCalled();
      expect(error).not.toHaveBeenCalled();
    });
  }
});

describe('isSSESupported', () => {
  test('EventSource, or fetch with streams', () => {
    vi.stubGlobal('EventSource', undefined);
    expect(isSSESupported()).toBe(true);
    vi.stubGlobal('fetch', undefined);
    expect(isSSESupported()).toBe(false);
    vi.stubGlobal('EventSource', class {});
    expect(isSSESupported()).toBe(true);
    vi.stubGlobal('EventSource', undefined);
    vi.stubGlobal('fetch', () => {});
    vi.stubGlobal('Response', class {});
    expect(isSSESupported()).toBe(false);
  });
});
