// @vitest-environment happy-dom
// Many components, one following: who shares, who comes late, who leaves.

import { act } from '@testing-library/react';
import { useCastEvents, useCastStatus, useCasts, useChannel } from '@tidings/react';
import { Profiler, useState, version } from 'react';
import { describe, expect, test } from 'vitest';
import { cast, castEvent, event, FakeClient } from './support/fake-client.ts';
import { frame, pageOf, pass, withFakeClock } from './support/render.tsx';

withFakeClock();

const many = (count: number) => Array.from({ length: count }, (_, at) => at);

describe('many components', () => {
  test('1,000 on 20 channels and 20 casts are 40 subscriptions; none is left after storms', async () => {
    const client = new FakeClient();
    function Row({ at }: { at: number }) {
      useChannel(`doc:${at % 20}`);
      return useCastStatus(`c${at % 20}`).status;
    }
    const page = pageOf(
      client,
      many(1000).map((at) => <Row key={at} at={at} />),
    );
    await frame();
    expect(client.open).toHaveLength(40);
    expect(client.watchers.size).toBe(1);
    for (let storm = 0; storm < 5; storm += 1) {
      page.show(null);
      await pass(storm * 100);
      page.show(many(1000).map((at) => <Row key={`${storm}-${at}`} at={at} />));
      await frame();
    }
    expect(client.all).toHaveLength(40);
    page.show(null);
    await pass(900);
    expect(client.open).toHaveLength(40);
    await pass(200);
    expect(client.open).toEqual([]);
    expect(client.watchers.size).toBe(0);
    page.show(<Row at={0} />);
    await frame();
    expect(client.open).toHaveLength(2);
  });

  test('a late one has the state with its first render, and is told once', async () => {
    const client = new FakeClient();
    const told: string[] = [];
    const shown: (string | undefined)[] = [];
    function Watcher({ name }: { name: string }) {
      const { lastEvent } = useCastEvents(
        { castId: 'c1' },
        {
          onStatus: ({ status }, { isInitial }) => told.push(`${name} ${isInitial} ${status}`),
          onComplete: () => told.push(`${name} complete`),
        },
      );
      if (name === 'late') shown.push(lastEvent?.status);
      return null;
    }
    const page = pageOf(client, <Watcher key="early" name="early" />);
    await frame();
    client.on('cast:c1').snapshot(cast('c1')).open();
    client.on('cast:c1').event(castEvent('c1', 'STARTED', { status: 'running' }, 2));
    await frame();
    const late = [<Watcher key="early" name="early" />, <Watcher key="late" name="late" />];
    page.show(late);
    // This comes before the late one was told anything: it is told of it as news.
    client.on('cast:c1').event(castEvent('c1', 'COMPLETED', { status: 'succeeded' }, 3));
    await frame();
    expect(shown[0]).toBe('running');
    expect(told).toEqual([
      'early true queued',
      'early false running',
      'late true running',
      'early false succeeded',
      'late false succeeded',
      'early complete',
      'late complete',
    ]);
    page.show([...late, <Watcher key="later" name="later" />]);
    await frame();
    expect(told.slice(7)).toEqual(['later true succeeded']);
  });

  test('what waits while one leaves and another takes its place is told to the newcomer', async () => {
    const client = new FakeClient();
    const told: string[] = [];
    function Row({ name }: { name: string }) {
      useChannel('a', ({ data }) => told.push(`${name} ${data}`));
      useCastEvents({ castId: 'c1' }, { onProgress: ({ progress }) => told.push(`${name} ${progress}%`) });
      return null;
    }
    const page = pageOf(client, <Row key="1" name="old" />);
    await frame();
    client
      .on('a')
      .open()
      .event(event('a', 't', 1));
    client
      .on('cast:c1')
      .snapshot(cast('c1', { status: 'running' }))
      .open();
    await frame();
    client.on('a').event(event('a', 't', 2));
    client.on('cast:c1').event(castEvent('c1', 'PROGRESS_UPDATE', { progress: 7 }, 2));
    page.show(<Row key="2" name="new" />);
    client.on('a').event(event('a', 't', 3));
    await frame();
    expect(told).toEqual(['old 1', 'new 2', 'new 7%', 'new 3']);
  });

  test('a status is rendered when it changes, and not for progress', async () => {
    const client = new FakeClient();
    let renders = 0;
    function Badge() {
      renders += 1;
      const { status, isTerminal, isConnected } = useCastStatus('c1');
      return `${status} ${isTerminal} ${isConnected}`;
    }
    const page = pageOf(client, <Badge />);
    expect(page.text).toBe('null false false');
    await frame();
    client
      .on('cast:c1')
      .snapshot(cast('c1', { status: 'running' }))
      .open();
    await frame();
    expect(page.text).toBe('running false true');
    const before = renders;
    for (const version of [2, 3, 4]) {
      client.on('cast:c1').event(castEvent('c1', 'PROGRESS_UPDATE', { progress: version }, version));
      await frame();
    }
    expect(renders).toBe(before);
    client.on('cast:c1').event(castEvent('c1', 'STATUS_CHANGED', { status: 'cancelled' }, 5));
    await frame();
    expect(page.text).toBe('cancelled true false');
  });
});

describe('bursts', () => {
  test('all that comes within a frame is one render, and is told in its order across channels', async () => {
    const client = new FakeClient();
    const told: number[] = [];
    const commits: string[] = [];
    function Row({ channel }: { channel: string }) {
      const [count, setCount] = useState(0);
      const { lastEvent } = useChannel<number>(channel, ({ data }) => {
        told.push(data);
        setCount((before) => before + 1);
      });
      return `${channel} ${lastEvent?.data ?? '-'} ${count};`;
    }
    const page = pageOf(
      client,
      <Profiler id="all" onRender={(id) => void commits.push(id)}>
        <Row channel="a" />
        <Row channel="b" />
      </Profiler>,
    );
    await frame();
    for (const channel of ['a', 'b']) client.on(channel).open();
    await frame();
    const before = commits.length;
    for (const number of many(900))
      client.on(number % 3 === 0 ? 'a' : 'b').event(event(number % 3 === 0 ? 'a' : 'b', 't', number));
    expect(told).toEqual([]);
    await frame();
    expect(told).toEqual(many(900));
    // React 18 renders what handlers set apart from what the hooks show.
    expect(commits.length - before).toBe(version.startsWith('18.') ? 2 : 1);
    expect(page.text).toBe('a 897 300;b 899 600;');
  });

  test('1,000 that wait are handed out at once; none is lost', async () => {
    const client = new FakeClient();
    const told: number[] = [];
    function Row() {
      useChannel<number>('a', ({ data }) => told.push(data));
      return null;
    }
    pageOf(client, <Row />);
    await frame();
    for (const number of many(999)) client.on('a').event(event('a', 't', number));
    expect(told).toHaveLength(0);
    act(() => client.on('a').event(event('a', 't', 999)));
    expect(told).toEqual(many(1000));
    act(() => {
      for (const number of many(2345)) client.on('a').event(event('a', 't', 1000 + number));
    });
    expect(told).toHaveLength(3000);
    await frame();
    expect(told).toEqual(many(3345));
  });

  test('what a handler brings about comes after what came before it', async () => {
    const client = new FakeClient();
    const told: string[] = [];
    function Row() {
      useChannel<string>('a', ({ data }) => {
        told.push(data);
        if (data !== 'first') return;
        for (const number of many(1500)) client.on('a').event(event('a', 't', `from within ${number}`));
      });
      return null;
    }
    pageOf(client, <Row />);
    await frame();
    client.on('a').event(event('a', 't', 'first'));
    client.on('a').event(event('a', 't', 'second'));
    await frame();
    expect(told.slice(0, 3)).toEqual(['first', 'second', 'from within 0']);
    expect(told).toHaveLength(1502);
  });

  test('a page without frames is served by a timer', async () => {
    const client = new FakeClient();
    const told: unknown[] = [];
    function Row() {
      useChannel('a', ({ data }) => told.push(data));
      return null;
    }
    pageOf(client, <Row />);
    await frame();
    globalThis.requestAnimationFrame = () => 0;
    client.on('a').event(event('a', 't', 1));
    await pass(99);
    expect(told).toEqual([]);
    await pass(1);
    expect(told).toEqual([1]);
    globalThis.requestAnimationFrame = undefined as never;
    client.on('a').event(event('a', 't', 2));
    await pass(16);
    expect(told).toEqual([1, 2]);
  });
});

test.each([null, undefined, ''])('useCastStatus of %j follows nothing', async (castId) => {
  const client = new FakeClient();
  function Badge() {
    const { status, isTerminal, isConnected } = useCastStatus(castId);
    return `${status} ${isTerminal} ${isConnected}`;
  }
  const page = pageOf(client, <Badge />);
  await frame();
  expect(page.text).toBe('null false false');
  expect(client.all).toEqual([]);
});

describe('useCasts', () => {
  test('follows a list that changes; an inline one changes nothing', async () => {
    const client = new FakeClient();
    const told: string[] = [];
    let shown: ReturnType<typeof useCasts> | undefined;
    function List({ ids }: { ids: readonly (string | null | undefined)[] }) {
      shown = useCasts([...ids], {
        onStatus: ({ castId, status }, { isInitial }) => told.push(`${castId} ${isInitial} ${status}`),
        onComplete: ({ castId }) => told.push(`${castId} complete`),
        onConnectionChange: (connected) => told.push(`connected ${connected}`),
      });
      return null;
    }
    const page = pageOf(client, <List ids={['a', 'b', 'a', '', null, undefined]} />);
    expect(shown).toEqual({ casts: {}, isConnected: false, errors: {} });
    await frame();
    expect(client.open.flatMap(({ channels }) => channels)).toEqual(['cast:a', 'cast:b']);
    client.on('cast:a').snapshot(cast('a')).open();
    await frame();
    expect(shown).toMatchObject({ casts: { a: { status: 'queued' } }, isConnected: false });
    client.on('cast:b').snapshot(cast('b')).open();
    await frame();
    expect(shown?.isConnected).toBe(true);
    const before = shown;
    page.show(<List ids={['a', 'b']} />);
    expect(shown).toBe(before);
    expect(client.all).toHaveLength(2);
    // An end in flight while the list changes is told as it is.
    client.on('cast:b').event(castEvent('b', 'COMPLETED', { status: 'succeeded' }, 2));
    page.show(<List ids={['b', 'c']} />);
    await frame();
    expect(client.on('cast:c').isClosed).toBe(false);
    client.on('cast:c').refuse(404, 'not_found');
    await frame();
    expect(shown).toMatchObject({
      casts: { b: { status: 'succeeded' } },
      errors: { c: { status: 404 } },
      isConnected: false,
    });
    expect(Object.keys(shown?.casts ?? {})).toEqual(['b']);
    expect(told).toEqual([
      'a true queued',
      'b true queued',
      'connected true',
      'b false succeeded',
      'b complete',
      'connected false',
    ]);
    await pass(1100);
    expect(client.open).toEqual([]);
    page.show(<List ids={[]} />);
    expect(shown).toEqual({ casts: {}, isConnected: false, errors: {} });
  });

  test('shares with the other hooks, and renders once a frame', async () => {
    const client = new FakeClient();
    let renders = 0;
    function List() {
      renders += 1;
      return Object.keys(useCasts(many(50).map((at) => `c${at}`)).casts).length;
    }
    function Badge() {
      return ` ${useCastStatus('c7').status}`;
    }
    const page = pageOf(
      client,
      <>
        <List />
        <Badge />
      </>,
    );
    await frame();
    expect(client.all).toHaveLength(50);
    const before = renders;
    for (const at of many(50))
      client
        .on(`cast:c${at}`)
        .snapshot(cast(`c${at}`))
        .open();
    await frame();
    expect(page.text).toBe('50 queued');
    expect(renders - before).toBe(1);
    page.unmount();
    await pass(1100);
    expect(client.open).toEqual([]);
  });
});
