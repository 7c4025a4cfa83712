// @vitest-environment happy-dom
// Channels and records in a component.

import { TidingsError } from '@tidings/client';
import {
  type ChannelResult,
  type SnapshotResult,
  useChannel,
  useConnectionStatus,
  useSnapshot,
  type What,
} from '@tidings/react';
import { describe, expect, test } from 'vitest';
import { CONNECTED, event, FakeClient } from './support/fake-client.ts';
import { frame, pageOf, pass, reported, withFakeClock } from './support/render.tsx';

withFakeClock();

describe('useChannel', () => {
  function watcher() {
    const told: string[] = [];
    const results: ChannelResult<unknown>[] = [];
    function Watcher({ what = 'a', enabled = true }: { what?: What | null; enabled?: boolean }) {
      results.push(
        useChannel<unknown>(what, {
          enabled,
          onEvent: ({ data }) => told.push(`event ${data}`),
          onGap: ({ reason }) => told.push(`gap ${reason}`),
          onError: ({ message }) => told.push(`error ${message}`),
          onConnectionChange: (connected) => told.push(`connected ${connected}`),
        }),
      );
      return null;
    }
    return { told, Watcher, result: () => results.at(-1) as ChannelResult<unknown> };
  }

  test('tells events, gaps and the connection, in the order in which they came', async () => {
    const client = new FakeClient();
    const { told, Watcher, result } = watcher();
    pageOf(client, <Watcher />);
    expect(result()).toEqual({ isConnected: false, isReady: false, lastEvent: null, error: null });
    await frame();
    client.on('a').open();
    await frame();
    expect(result()).toEqual({ isConnected: true, isReady: true, lastEvent: null, error: null });
    const error = new TidingsError({ kind: 'network', code: 'network' });
    client.on('a').event(event('a', 't', 1));
    client.become({ state: 'reconnecting', attempt: 1, error });
    client.on('a').gap('expired');
    client.become(CONNECTED);
    client.on('a').event(event('a', 't', 2));
    await frame();
    expect(told).toEqual(['connected true', 'event 1', 'connected false', 'gap expired', 'connected true', 'event 2']);
    expect(result().lastEvent?.data).toBe(2);
    client.become({ state: 'refused', error });
    await frame();
    expect(result()).toMatchObject({ isConnected: false, isReady: true, error });
  });

  test('the same content is the same subscription, however it is written', async () => {
    const client = new FakeClient();
    const { Watcher } = watcher();
    const page = pageOf(client, <Watcher what={['b', 'a']} />);
    for (const what of [['a', 'b'], { channels: ['b', 'a', 'b'] }, { channels: ['a', 'b'], since: 'now' as const }]) {
      page.show(<Watcher what={what} />);
      await frame();
    }
    expect(client.all).toHaveLength(1);
    page.show(<Watcher what={{ channels: ['a', 'b'], types: ['x'] }} />);
    await frame();
    expect(client.all.map(({ what }) => what)).toEqual([
      { channels: ['a', 'b'] },
      { channels: ['a', 'b'], types: ['x'] },
    ]);
    await pass(1100);
    expect(client.open).toHaveLength(1);
  });

  test('null, nothing, and enabled: false follow nothing', async () => {
    const client = new FakeClient();
    const { told, Watcher, result } = watcher();
    const page = pageOf(client, <Watcher what={null} />);
    page.show(<Watcher what={[]} />);
    page.show(<Watcher what="" />);
    page.show(<Watcher enabled={false} />);
    await frame();
    expect(client.all).toEqual([]);
    page.show(<Watcher />);
    await frame();
    client.on('a').open();
    await frame();
    page.show(<Watcher enabled={false} />);
    await frame();
    expect(told).toEqual(['connected true', 'connected false']);
    expect(result()).toEqual({ isConnected: false, isReady: false, lastEvent: null, error: null });
  });

  test('a function takes the events', async () => {
    const client = new FakeClient();
    const told: unknown[] = [];
    function Short() {
      useChannel('a', ({ data }) => told.push(data));
      return null;
    }
    pageOf(client, <Short />);
    await frame();
    client.on('a').event(event('a', 't', 1));
    await frame();
    expect(told).toEqual([1]);
  });

  test('a refusal is an error until the connection is asked again', async () => {
    const client = new FakeClient();
    const { told, Watcher, result } = watcher();
    let again = () => {};
    function Button() {
      again = useConnectionStatus().reconnect;
      return null;
    }
    pageOf(client, [<Button key="1" />, <Watcher key="2" />]);
    await frame();
    client.on('a').refuse(403, 'forbidden_channel');
    await frame();
    expect(told).toEqual(['error forbidden_channel']);
    expect(result()).toMatchObject({ isReady: false, isConnected: false, error: { code: 'forbidden_channel' } });
    again();
    await frame();
    expect(client.all).toHaveLength(2);
    client.on('a').open();
    await frame();
    expect(result()).toMatchObject({ isReady: true, isConnected: true, error: null });
  });

  test('what is no channel is an error, and no crash', async () => {
    const client = new FakeClient();
    const { told, Watcher, result } = watcher();
    pageOf(client, <Watcher what="no channel" />);
    await frame();
    expect(result().error).toBeInstanceOf(TypeError);
    expect(told).toEqual(['error no channel']);
  });

  test('a right that ends is an error', async () => {
    const client = new FakeClient();
    const { told, Watcher, result } = watcher();
    pageOf(client, <Watcher />);
    await frame();
    client.on('a').open();
    await frame();
    client.on('a').gap('unauthorized');
    await frame();
    expect(told).toEqual(['connected true', 'connected false', 'gap unauthorized']);
    expect(result()).toMatchObject({
      isReady: false,
      isConnected: false,
      error: { code: 'unauthorized', status: 403 },
    });
  });

  test('of those that begin in the past each is given its own beginning, and goes on where it was', async () => {
    const client = new FakeClient();
    const [one, other] = [watcher(), watcher()];
    const what = { channels: 'a', since: 'start' as const };
    const page = pageOf(client, [<one.Watcher key="1" what={what} />, <other.Watcher key="2" what={what} />], true);
    await frame();
    expect(client.open).toHaveLength(2);
    const first = event('a', 't', 1);
    for (const following of client.open) following.event(first);
    await frame();
    expect([one.told, other.told]).toEqual([['event 1'], ['event 1']]);
    page.show([<one.Watcher key="1" what={what} enabled={false} />, <other.Watcher key="2" what={what} />]);
    await frame();
    // While one is away an event comes, which it must be given once it is back.
    client.open[0]?.event(event('a', 't', 2));
    await frame();
    page.show([<one.Watcher key="1" what={what} />, <other.Watcher key="2" what={what} />]);
    await frame();
    expect(client.open).toHaveLength(2);
    expect(client.open.at(-1)?.what.since).toBe(first.id);
    expect(one.told).toEqual(['event 1']);
  });
});

describe('useSnapshot', () => {
  interface Doc {
    readonly words: readonly string[];
  }
  function watcher() {
    const told: string[] = [];
    const results: SnapshotResult<Doc>[] = [];
    function Watcher({ path = '/api/doc', mark = '' }: { path?: string | null; mark?: string }) {
      const result = useSnapshot<Doc, string>(
        path,
        'doc',
        ({ words }, { data }) => ({ words: [...words, data + mark] }),
        { onEvent: ({ data }) => told.push(data), onError: ({ message }) => told.push(`error ${message}`) },
      );
      results.push(result);
      return result.data?.words.join(' ') ?? '-';
    }
    return { told, Watcher, result: () => results.at(-1) as SnapshotResult<Doc> };
  }

  test('is the record with its events, by the apply of the latest render', async () => {
    const client = new FakeClient();
    const { told, Watcher, result } = watcher();
    const page = pageOf(client, <Watcher />);
    await frame();
    expect(result()).toMatchObject({ data: undefined, isReady: false, isConnected: false, error: null });
    const stream = client.on('doc');
    expect(stream.source).toBe('/api/doc');
    stream.snapshot({ words: ['a'] }).open();
    stream.event(event('doc', 't', 'b'));
    await frame();
    expect(page.text).toBe('a b');
    expect(result()).toMatchObject({ isReady: true, isConnected: true });
    stream.event(event('doc', 't', 'c'));
    page.show(<Watcher mark="!" />);
    await frame();
    expect(page.text).toBe('a b c!');
    stream.gap('expired');
    stream.snapshot({ words: ['fresh'] }, true);
    await frame();
    expect(page.text).toBe('fresh');
    expect(told).toEqual(['b', 'c']);
    expect(client.all).toHaveLength(1);
  });

  test('another path is another record; none is none', async () => {
    const client = new FakeClient();
    const { Watcher, result } = watcher();
    const page = pageOf(client, <Watcher />);
    await frame();
    const old = client
      .on('doc')
      .snapshot({ words: ['old'] })
      .open();
    await frame();
    page.show(<Watcher path="/api/other" />);
    old.listeners.onSnapshot?.({ words: ['too late'] } as never, { cursor: null, version: null, isRefetched: true });
    await frame();
    expect(result().data).toBeUndefined();
    await pass(1100);
    client
      .on('doc')
      .snapshot({ words: ['new'] })
      .open();
    await frame();
    expect(page.text).toBe('new');
    page.show(<Watcher path={null} />);
    expect(page.text).toBe('-');
    await pass(1100);
    expect(client.open).toEqual([]);
  });

  test('an error goes with the record that comes after it; a refusal stays', async () => {
    const client = new FakeClient();
    const { told, Watcher, result } = watcher();
    pageOf(client, <Watcher />);
    await frame();
    client.on('doc').error(new TidingsError({ kind: 'network', code: 'network' }));
    await frame();
    expect(result().error).toMatchObject({ code: 'network' });
    client.on('doc').snapshot({ words: [] }).open();
    await frame();
    expect(result()).toMatchObject({ error: null, isConnected: true });
    client.on('doc').refuse(404, 'not_found');
    await frame();
    expect(result().error).toMatchObject({ status: 404 });
    expect(told).toEqual(['error network', 'error not_found']);
  });

  test('the same apply shares; inline ones do not; a function is the source of one', async () => {
    const client = new FakeClient();
    const keep = (value: unknown) => value;
    const sources: string[] = [];
    function Shared() {
      useSnapshot('/api/doc', 'doc', keep);
      return null;
    }
    function Own() {
      useSnapshot('/api/doc', 'doc', (value) => value);
      return null;
    }
    function Inline({ name = '' }: { name?: string }) {
      useSnapshot(
        async () => {
          sources.push(name);
          return new Response('{}');
        },
        'doc',
        (value) => value,
      );
      return null;
    }
    const shared = [<Shared key="1" />, <Shared key="2" />, <Shared key="3" />];
    const page = pageOf(client, [...shared, <Own key="6" />, <Own key="7" />]);
    await frame();
    expect(client.open).toHaveLength(3);
    page.show([...shared, <Inline key="4" />, <Inline key="5" />]);
    await pass(1100);
    expect(client.open).toHaveLength(3);
    page.show([...shared, <Inline key="4" name="latest" />, <Inline key="5" />]);
    for (const { source } of client.open.slice(1))
      if (typeof source === 'function') await source(new AbortController().signal);
    expect(sources).toEqual(['latest', '']);
    expect(client.all).toHaveLength(5);
  });

  test('of those that share the apply of one that is there counts', async () => {
    const client = new FakeClient();
    const plain = (value: string, { data }: { data: string }) => value + data;
    const loud = (value: string, { data }: { data: string }) => `${value}${data}!`;
    function Doc({ apply = plain }: { apply?: typeof plain }) {
      return useSnapshot<string, string>('/api/doc', 'doc', apply).data ?? '-';
    }
    const page = pageOf(client, [<Doc key="1" />, <Doc key="2" />]);
    await frame();
    client.on('doc').snapshot('a').open();
    page.show([<Doc key="2" apply={loud} />]);
    client.on('doc').event(event('doc', 't', 'b'));
    await frame();
    expect(page.text).toBe('ab!');
    expect(client.all).toHaveLength(1);
  });

  test('an apply that throws is reported; the next event is applied', async () => {
    const client = new FakeClient();
    const told: unknown[] = [];
    function Doc() {
      const { data } = useSnapshot<string, string>(
        '/api/doc',
        'doc',
        (value, { data }) => {
          if (data === 'bad') throw new Error('bad apply');
          return value + data;
        },
        { onEvent: ({ data }) => told.push(data) },
      );
      return data ?? '-';
    }
    const page = pageOf(client, <Doc />);
    await frame();
    client.on('doc').snapshot('a').open();
    for (const data of ['bad', 'b']) client.on('doc').event(event('doc', 't', data));
    await frame();
    expect(page.text).toBe('ab');
    expect(told).toEqual(['bad', 'b']);
    expect(reported.splice(0).map((error) => (error as Error).message)).toEqual(['bad apply']);
  });
});
