// @vitest-environment happy-dom
// When the connection is lost: who goes on, who gives up, and how often it is tried.

import { TidingsError } from '@tidings/client';
import {
  type CastEventsOptions,
  type CastEventsResult,
  type SnapshotResult,
  useCastEvents,
  useConnectionStatus,
  useSnapshot,
} from '@tidings/react';
import { describe, expect, test } from 'vitest';
import { CONNECTED, cast, castEvent, FakeClient } from './support/fake-client.ts';
import { frame, pageOf, withFakeClock } from './support/render.tsx';

withFakeClock();

const LOST = new TidingsError({ kind: 'network', code: 'network' });

function watcher() {
  const results: CastEventsResult[] = [];
  const told: string[] = [];
  function Watcher(options: Partial<CastEventsOptions>) {
    results.push(
      useCastEvents(
        { castId: 'c1', ...options },
        {
          onConnectionChange: (connected) => told.push(`connected ${connected}`),
          onStatus: ({ status }, { isInitial }) => told.push(`${isInitial ? 'initial ' : ''}status ${status}`),
          onComplete: () => told.push('complete'),
        },
      ),
    );
    return null;
  }
  return { Watcher, told, result: () => results.at(-1) as CastEventsResult };
}

/** Opens everything that waits, with this record. */
async function openAll(client: FakeClient, record = cast('c1')): Promise<void> {
  await frame();
  for (const following of client.open) following.snapshot(record).open();
  await frame();
}

/** What a client's status says as it loses the connection, fails `count` attempts, and has it again. */
async function lose(client: FakeClient, count: number): Promise<void> {
  for (let attempt = 1; attempt <= count + 1; attempt += 1) {
    client.become({ state: 'reconnecting', error: LOST, attempt });
    await frame();
  }
}

describe('a lost connection', () => {
  test('is waited for without end by default', async () => {
    const client = new FakeClient();
    const { Watcher, told, result } = watcher();
    pageOf(client, <Watcher />);
    await openAll(client);
    await lose(client, 500);
    expect(result()).toMatchObject({ isConnected: false, error: LOST, reconnectCount: 501 });
    expect(client.open).toHaveLength(1);
    client.become(CONNECTED);
    await frame();
    expect(result()).toMatchObject({ isConnected: true, error: null, reconnectCount: 0 });
    expect(told).toEqual(['initial status queued', 'connected true', 'connected false', 'connected true']);
  });

  test('reconnect: false gives up; others go on; reconnect() follows again and tells what happened', async () => {
    const client = new FakeClient();
    const [one, other] = [watcher(), watcher()];
    pageOf(
      client,
      <>
        <one.Watcher reconnect={false} />
        <other.Watcher />
      </>,
    );
    await openAll(client);
    expect(client.open).toHaveLength(2);
    await lose(client, 0);
    expect(one.result()).toMatchObject({ isConnected: false, error: LOST });
    expect(client.open).toHaveLength(1);
    client.become(CONNECTED);
    await frame();
    expect(one.result()).toMatchObject({ isConnected: false, error: LOST });
    expect(other.result()).toMatchObject({ isConnected: true, error: null });
    client.on('cast:c1').event(castEvent('c1', 'STARTED', { status: 'running' }, 2));
    await frame();
    one.result().reconnect();
    await frame();
    expect(client.reconnects).toBe(0);
    client.open
      .at(-1)
      ?.snapshot(cast('c1', { status: 'succeeded', version: 3 }))
      .open();
    await frame();
    // It saw the cast before it gave up: this is news, and no initial state.
    expect(one.told.slice(3)).toEqual(['status succeeded', 'complete']);
    expect(one.result()).toMatchObject({ isConnected: false, error: null });
  });

  test('reconnect: false gives up with the network', async () => {
    const client = new FakeClient();
    const { Watcher, result } = watcher();
    pageOf(client, <Watcher reconnect={false} />);
    await openAll(client);
    client.become({ state: 'offline', error: null, attempt: 0 });
    await frame();
    expect(result().error).toMatchObject({ code: 'network' });
    expect(client.open).toEqual([]);
  });

  test('what was given up has no say in what is followed after it', async () => {
    const client = new FakeClient();
    const { Watcher, result } = watcher();
    pageOf(client, <Watcher reconnect={false} />);
    await frame();
    // Its subscription, which was not ready yet, fails by being closed.
    client.become({ state: 'reconnecting', attempt: 1, error: LOST });
    await frame();
    expect(result().error).toBe(LOST);
    result().reconnect();
    client.become(CONNECTED);
    await openAll(client);
    expect(result()).toMatchObject({ isConnected: true, error: null });
  });

  test('another cast begins anew after giving up', async () => {
    const client = new FakeClient();
    const { Watcher, result } = watcher();
    const page = pageOf(client, <Watcher reconnect={false} />);
    await openAll(client);
    await lose(client, 0);
    client.become(CONNECTED);
    page.show(<Watcher reconnect={false} castId="c2" />);
    await openAll(client, cast('c2'));
    expect(result()).toMatchObject({ isConnected: true, error: null });
  });

  test('a hook that comes while it is lost is not given up for what was before', async () => {
    const client = new FakeClient({ ...CONNECTED, state: 'reconnecting', attempt: 4, error: LOST });
    const { Watcher, result } = watcher();
    pageOf(client, <Watcher reconnect={false} />);
    await frame();
    client.become({ attempt: 4, nextAttemptAt: 1 });
    await frame();
    expect(client.open).toHaveLength(1);
    client.become({ attempt: 5 });
    await frame();
    expect(client.open).toEqual([]);
    expect(result()).toMatchObject({ error: LOST });
  });

  test('maxReconnectAttempts: so many attempts may fail in a row', async () => {
    const client = new FakeClient();
    const { Watcher, result } = watcher();
    pageOf(client, <Watcher maxReconnectAttempts={3} />);
    await openAll(client);
    await lose(client, 2);
    expect(client.open).toHaveLength(1);
    client.become(CONNECTED);
    await frame();
    expect(result().isConnected).toBe(true);
    await lose(client, 2);
    expect(client.open).toHaveLength(1);
    client.become({ attempt: 4 });
    await frame();
    expect(client.open).toEqual([]);
    expect(result()).toMatchObject({ isConnected: false, error: LOST, reconnectCount: 3 });
    // The others' attempts are not its own any more.
    client.become({ attempt: 9 });
    await frame();
    expect(result().reconnectCount).toBe(3);
    result().reconnect();
    await frame();
    expect(client.reconnects).toBe(1);
    client.become(CONNECTED);
    await openAll(client);
    expect(result()).toMatchObject({ isConnected: true, error: null, reconnectCount: 0 });
  });

  test('what cannot be read counts as attempts', async () => {
    const client = new FakeClient({ ...CONNECTED, state: 'idle' });
    const { Watcher, result } = watcher();
    pageOf(client, <Watcher maxReconnectAttempts={2} />);
    await frame();
    for (let count = 0; count < 2; count += 1) client.on('cast:c1').error(LOST);
    await frame();
    expect(client.open).toHaveLength(1);
    client.on('cast:c1').error(LOST);
    await frame();
    expect(client.open).toEqual([]);
    expect(result().error).toBe(LOST);
  });

  test("the connection's reconnect() brings back all that had given up", async () => {
    const client = new FakeClient();
    const { Watcher, result } = watcher();
    let again = () => {};
    function Button() {
      again = useConnectionStatus().reconnect;
      return null;
    }
    pageOf(
      client,
      <>
        <Button />
        <Watcher />
      </>,
    );
    await frame();
    client.on('cast:c1').refuse(403, 'forbidden');
    await frame();
    again();
    expect(client.reconnects).toBe(1);
    await openAll(client);
    expect(result()).toMatchObject({ isConnected: true, error: null });
  });
});

describe('a part of the client that cannot be loaded for now', () => {
  const NOT_LOADED = new TypeError('Failed to fetch dynamically imported module');

  test('is no end: what was waited for is shown and connected once it is there', async () => {
    const client = new FakeClient();
    const { Watcher, result } = watcher();
    const records: SnapshotResult<string>[] = [];
    function Record() {
      records.push(useSnapshot<string>('/api/docs/1', 'doc:1', (doc) => doc));
      return null;
    }
    pageOf(
      client,
      <>
        <Watcher />
        <Record />
      </>,
    );
    await frame();
    for (const following of client.open) following.error(NOT_LOADED);
    await frame();
    expect(result()).toMatchObject({ isConnected: false, error: NOT_LOADED, reconnectCount: 1 });
    expect(records.at(-1)).toMatchObject({ isConnected: false, error: NOT_LOADED });
    client.on('cast:c1').snapshot(cast('c1')).open();
    client.on('doc:1').snapshot('read').open();
    await frame();
    expect(result()).toMatchObject({ isConnected: true, error: null, reconnectCount: 0 });
    expect(records.at(-1)).toMatchObject({ data: 'read', isReady: true, isConnected: true, error: null });
  });
});
