// @vitest-environment happy-dom
// A cast in a component: what it is told, and what it shows.

import { type CastEventHandlers, type CastEventsOptions, type CastEventsResult, useCastEvents } from '@tidings/react';
import { describe, expect, test, vi } from 'vitest';
import { cast, castEvent, FakeClient } from './support/fake-client.ts';
import { frame, pageOf, pass, reported, withFakeClock } from './support/render.tsx';

withFakeClock();

/** A component that shows a cast, and what it was told. */
function watcher() {
  const told: string[] = [];
  const results: CastEventsResult[] = [];
  const handlers: CastEventHandlers = {
    onStatus: ({ status }, { isInitial }) => told.push(`${isInitial ? 'initial ' : ''}status ${status}`),
    onProgress: ({ progress, message = '' }, { isInitial }) =>
      told.push(`${isInitial ? 'initial ' : ''}progress ${progress} ${message}`.trim()),
    onComplete: ({ duration }, { isInitial }) => told.push(`${isInitial ? 'initial ' : ''}complete ${duration}`),
    onError: ({ errorMessage }, { isInitial }) => told.push(`${isInitial ? 'initial ' : ''}failed ${errorMessage}`),
    onArtifact: ({ artifactUrl }, { isInitial }) => told.push(`${isInitial ? 'initial ' : ''}artifact ${artifactUrl}`),
    onConnectionChange: (connected) => told.push(`connected ${connected}`),
  };
  function Watcher(options: Partial<CastEventsOptions>) {
    // Inline, as apps write it.
    const result = useCastEvents({ castId: 'c1', ...options }, { ...handlers });
    results.push(result);
    return result.lastEvent?.status ?? '-';
  }
  const result = () => results.at(-1) as CastEventsResult;
  return { told, Watcher, result, results };
}

async function opened(client: FakeClient, record = cast('c1')): Promise<void> {
  await frame();
  client.on(`cast:${record.id}`).snapshot(record).open();
  await frame();
}

describe('useCastEvents', () => {
  test('tells the state, then what happens, to the end', async () => {
    const client = new FakeClient();
    const { told, Watcher, result } = watcher();
    const page = pageOf(client, <Watcher />);
    expect(result()).toMatchObject({ isConnected: false, lastEvent: null, lastUpdate: null, error: null });
    await opened(client, cast('c1', { status: 'running', progress: 10, version: 2 }));
    expect(page.text).toBe('running');
    expect(result().isConnected).toBe(true);
    const stream = client.on('cast:c1');
    stream.event(castEvent('c1', 'PROGRESS_UPDATE', { progress: 50, message: 'half' }, 3));
    await frame();
    expect(result().lastEvent).toEqual({
      type: 'progress',
      castId: 'c1',
      status: 'running',
      progress: 50,
      message: 'half',
      timestamp: '2026-01-01T00:00:03.000Z',
    });
    stream.event(castEvent('c1', 'ARTIFACT_READY', { artifactUrl: 'https://a.test/1' }, 4));
    stream.event(castEvent('c1', 'COMPLETED', { status: 'succeeded', duration: 9, costCents: null }, 5));
    await frame();
    expect(told).toEqual([
      'initial status running',
      'initial progress 10',
      'connected true',
      'progress 50 half',
      'artifact https://a.test/1',
      'status succeeded',
      'complete 9',
      'connected false',
    ]);
    expect(result()).toMatchObject({ isConnected: false, error: null, reconnectCount: 0 });
    expect(result().lastEvent).toEqual({
      type: 'complete',
      castId: 'c1',
      status: 'succeeded',
      progress: 50,
      message: 'half',
      duration: 9,
      artifactUrl: 'https://a.test/1',
      timestamp: '2026-01-01T00:00:05.000Z',
    });
    expect(client.open).toEqual([]);
    // Nothing reconnects, and nobody is asked to.
    client.become({ state: 'reconnecting', attempt: 3 });
    await frame();
    result().reconnect();
    await pass(60_000);
    expect(client.all).toHaveLength(1);
    expect(client.reconnects).toBe(0);
    expect(result()).toMatchObject({ isConnected: false, error: null, reconnectCount: 0 });
  });

  test('does not notify of an end that was there before', async () => {
    const client = new FakeClient();
    const { told, Watcher, result } = watcher();
    pageOf(client, <Watcher />);
    const record = { progress: 100, artifactUrl: 'https://a.test/1', duration: 9, version: 5 };
    await opened(client, cast('c1', { status: 'succeeded', ...record }));
    expect(told).toEqual(['initial status succeeded']);
    expect(result().lastEvent).toMatchObject({ type: 'complete', status: 'succeeded', duration: 9, progress: 100 });
    expect(result()).toMatchObject({ isConnected: false, error: null });
    expect(client.open).toEqual([]);
  });

  test('tells a newcomer how far a cast is and what it has made', async () => {
    const client = new FakeClient();
    const { told, Watcher, result } = watcher();
    pageOf(client, <Watcher />);
    const record = { progress: 5, message: 'not told again', artifactUrl: 'https://a.test/1' };
    await opened(client, cast('c1', { status: 'running', ...record }));
    expect(result().lastEvent?.message).toBe('not told again');
    expect(told).toEqual([
      'initial status running',
      'initial progress 5',
      'initial artifact https://a.test/1',
      'connected true',
    ]);
  });

  test('tells of a failure once, with its message', async () => {
    const client = new FakeClient();
    const { told, Watcher, result } = watcher();
    pageOf(client, <Watcher />);
    await opened(client);
    client.on('cast:c1').event(castEvent('c1', 'FAILED', { status: 'failed', errorMessage: 'out of memory' }, 2));
    await frame();
    expect(told.slice(2)).toEqual(['status failed', 'failed out of memory', 'connected false']);
    expect(result().lastEvent).toMatchObject({ type: 'failed', errorMessage: 'out of memory' });
  });

  test('tells of an end that it slept through as news', async () => {
    const client = new FakeClient();
    const { told, Watcher } = watcher();
    pageOf(client, <Watcher />);
    await opened(client);
    client.on('cast:c1').gap('expired');
    client.on('cast:c1').snapshot(cast('c1', { status: 'succeeded', duration: 7, version: 9 }), true);
    await frame();
    expect(told.slice(2)).toEqual(['status succeeded', 'complete 7', 'connected false']);
  });

  test('calls the handlers of the latest render, and subscribes once', async () => {
    const client = new FakeClient();
    const told: string[] = [];
    function Inline({ name }: { name: string }) {
      useCastEvents({ castId: 'c1', enabled: true }, { onProgress: () => told.push(name) });
      return null;
    }
    const page = pageOf(client, <Inline name="a" />);
    await opened(client);
    for (const name of ['b', 'c', 'd']) page.show(<Inline name={name} />);
    client.on('cast:c1').event(castEvent('c1', 'PROGRESS_UPDATE', { progress: 1 }, 2));
    page.show(<Inline name="e" />);
    await frame();
    expect(told).toEqual(['e']);
    expect(client.all).toHaveLength(1);
  });

  test('a handler that throws keeps nobody from anything', async () => {
    const client = new FakeClient();
    const told: string[] = [];
    function Bad() {
      useCastEvents(
        { castId: 'c1' },
        {
          onStatus: () => {
            throw new Error('bad status');
          },
          onProgress: ({ progress }) => told.push(`bad ${progress}`),
        },
      );
      return null;
    }
    function Good() {
      const { lastEvent } = useCastEvents({ castId: 'c1' }, { onStatus: ({ status }) => told.push(`good ${status}`) });
      return lastEvent?.progress ?? '-';
    }
    const page = pageOf(
      client,
      <>
        <Bad />
        <Good />
      </>,
    );
    await opened(client);
    client.on('cast:c1').event(castEvent('c1', 'STARTED', { status: 'running' }, 2));
    client.on('cast:c1').event(castEvent('c1', 'PROGRESS_UPDATE', { progress: 5 }, 3));
    await frame();
    expect(told).toEqual(['good queued', 'good running', 'bad 5']);
    expect(page.text).toBe('5');
    expect(reported.splice(0).map((error) => (error as Error).message)).toEqual(['bad status', 'bad status']);
  });

  test('lastEvent and lastUpdate are new with news alone', async () => {
    const client = new FakeClient();
    const { Watcher, result } = watcher();
    const page = pageOf(client, <Watcher />);
    await opened(client);
    const before = result();
    vi.setSystemTime(new Date('2026-01-01T13:00:00Z'));
    page.show(<Watcher enabled />);
    client.become({ state: 'reconnecting', attempt: 1 });
    await frame();
    client.become({ state: 'connected', attempt: 0 });
    await frame();
    expect(result().lastEvent).toBe(before.lastEvent);
    expect(result().lastUpdate).toBe(before.lastUpdate);
    client.on('cast:c1').event(castEvent('c1', 'STARTED', { status: 'running', startedAt: '2026-01-01T00:00:02Z' }, 2));
    await frame();
    expect(result().lastEvent).not.toBe(before.lastEvent);
    expect(result().lastUpdate?.toISOString().slice(0, 13)).toBe('2026-01-01T13');
  });

  test('drops what is older than what is known', async () => {
    const client = new FakeClient();
    const { told, Watcher } = watcher();
    pageOf(client, <Watcher />);
    await opened(client, cast('c1', { status: 'running', progress: 60, version: 6 }));
    client.on('cast:c1').event(castEvent('c1', 'PROGRESS_UPDATE', { progress: 50 }, 5));
    await frame();
    expect(told.filter((word) => word.includes('progress'))).toEqual(['initial progress 60']);
  });

  test('follows nothing while disabled or without a cast', async () => {
    const client = new FakeClient();
    const { told, Watcher, result } = watcher();
    const page = pageOf(client, <Watcher enabled={false} />);
    await frame();
    expect(client.all).toEqual([]);
    page.show(<Watcher castId="" />);
    page.show(<Watcher castId={undefined} />);
    page.show(<Watcher castId={null} />);
    await frame();
    expect(client.all).toEqual([]);
    page.show(<Watcher />);
    await opened(client);
    expect(told).toEqual(['initial status queued', 'connected true']);
    page.show(<Watcher enabled={false} />);
    expect(result()).toMatchObject({ isConnected: false, lastEvent: null });
    await frame();
    expect(told.at(-1)).toBe('connected false');
    await pass(1500);
    expect(client.open).toEqual([]);
    page.show(<Watcher />);
    await opened(client, cast('c1', { status: 'running', version: 3 }));
    expect(told.slice(3)).toEqual(['initial status running', 'connected true']);
  });

  test("an old cast's news do not reach its successor", async () => {
    const client = new FakeClient();
    const { told, Watcher, result } = watcher();
    const page = pageOf(client, <Watcher />);
    await opened(client);
    const old = client.on('cast:c1');
    // In flight while the cast changes, and after it has.
    old.event(castEvent('c1', 'COMPLETED', { status: 'succeeded', duration: 1, costCents: 1 }, 2));
    page.show(<Watcher castId="c2" />);
    old.listeners.onEvent?.(castEvent('c1', 'PROGRESS_UPDATE', { progress: 99 }, 3));
    expect(result().lastEvent).toBeNull();
    await opened(client, cast('c2', { status: 'running' }));
    expect(told).toEqual([
      'initial status queued',
      'connected true',
      'connected false',
      'initial status running',
      'connected true',
    ]);
    expect(result().lastEvent?.castId).toBe('c2');
    await pass(2000);
    expect(client.open.map(({ channels }) => channels)).toEqual([['cast:c2']]);
  });

  for (const [status, code] of [
    [403, 'forbidden'],
    [404, 'not_found'],
  ] as const) {
    test(`${status}: the error stays, until it is asked again`, async () => {
      const client = new FakeClient();
      const { told, Watcher, result } = watcher();
      pageOf(client, <Watcher />);
      await frame();
      client.on('cast:c1').refuse(status, code);
      await frame();
      expect(result().error).toMatchObject({ code, status });
      expect(result()).toMatchObject({ isConnected: false, lastEvent: null });
      await pass(600_000);
      expect(client.all).toHaveLength(1);
      expect(client.open).toEqual([]);
      result().reconnect();
      await opened(client);
      expect(result()).toMatchObject({ isConnected: true, error: null });
      expect(told).toEqual(['initial status queued', 'connected true']);
    });
  }

  test('a cast that is refused after it was live is an error', async () => {
    const client = new FakeClient();
    const { told, Watcher, result } = watcher();
    pageOf(client, <Watcher />);
    await opened(client);
    client.on('cast:c1').refuse(403, 'forbidden_channel');
    await frame();
    expect(result()).toMatchObject({ isConnected: false, error: { code: 'forbidden_channel' } });
    expect(told.at(-1)).toBe('connected false');
    expect(client.open).toEqual([]);
  });

  test('a right that ends is an error', async () => {
    const client = new FakeClient();
    const { Watcher, result } = watcher();
    pageOf(client, <Watcher />);
    await opened(client);
    client.on('cast:c1').gap('unauthorized');
    await frame();
    expect(result()).toMatchObject({ isConnected: false, error: { code: 'unauthorized', status: 403 } });
  });

  test('what could not be read for now is read by the client; the error goes', async () => {
    const client = new FakeClient({ ...new FakeClient().status, state: 'idle' });
    const { Watcher, result } = watcher();
    pageOf(client, <Watcher />);
    await frame();
    const { TidingsError } = await import('@tidings/client');
    for (let count = 1; count <= 3; count += 1) {
      client.on('cast:c1').error(new TidingsError({ kind: 'network', code: 'network' }));
      await frame();
      expect(result()).toMatchObject({ isConnected: false, error: { code: 'network' }, reconnectCount: count });
    }
    client.on('cast:c1').snapshot(cast('c1'));
    await frame();
    expect(result()).toMatchObject({ isConnected: false, error: null, reconnectCount: 0 });
    client.become({ state: 'connected' });
    client.on('cast:c1').open();
    await frame();
    expect(result()).toMatchObject({ isConnected: true, error: null, reconnectCount: 0 });
    // Reading it again, after a gap, is the client's business; it is not why a connection is lost later.
    client.on('cast:c1').error(new TidingsError({ kind: 'network', code: 'gap' }));
    await frame();
    expect(result()).toMatchObject({ isConnected: true, error: null });
    client.become({ state: 'offline' });
    await frame();
    expect(result()).toMatchObject({ isConnected: false, error: null });
  });

  test('no name of a channel: an error, and no crash', async () => {
    const client = new FakeClient();
    const { Watcher, result } = watcher();
    pageOf(client, <Watcher castId="no such name" />);
    await frame();
    expect(result().error).toBeInstanceOf(TypeError);
  });
});
