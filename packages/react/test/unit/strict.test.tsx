// @vitest-environment happy-dom
// Double mounts, hot reloads, renders that are thrown away, trees that are hidden.

import { act } from '@testing-library/react';
import { useCastEvents, useCasts, useChannel, useSnapshot } from '@tidings/react';
import * as React from 'react';
import { Suspense, startTransition, useEffect, useState } from 'react';
import { describe, expect, test } from 'vitest';
import { cast, castEvent, event, FakeClient } from './support/fake-client.ts';
import { frame, pageOf, pass, withFakeClock } from './support/render.tsx';

withFakeClock();

const keep = (value: unknown) => value;

/** Every hook at once; what it was told. */
function everything() {
  const told: string[] = [];
  function Everything({ name = 'x' }: { name?: string }) {
    const { lastEvent } = useCastEvents(
      { castId: 'c1' },
      {
        onStatus: ({ status }) => told.push(`${name} status ${status}`),
        onComplete: () => told.push(`${name} complete`),
        onConnectionChange: (connected) => told.push(`${name} connected ${connected}`),
      },
    );
    useCasts(['c2'], { onStatus: ({ status }) => told.push(`${name} c2 ${status}`) });
    useChannel('doc', { onEvent: ({ data }) => told.push(`${name} doc ${data}`) });
    useSnapshot('/doc', 'record', keep, { onEvent: ({ data }) => told.push(`${name} record ${data}`) });
    return lastEvent?.status ?? '-';
  }
  return { told, Everything };
}

async function live(client: FakeClient): Promise<void> {
  await frame();
  client.on('cast:c1').snapshot(cast('c1')).open();
  client.on('cast:c2').snapshot(cast('c2')).open();
  client
    .on('doc')
    .open()
    .event(event('doc', 't', 1));
  client
    .on('record')
    .snapshot({})
    .open()
    .event(event('record', 't', 2));
  await frame();
}

const TOLD = ['x status queued', 'x c2 queued', 'x doc 1', 'x record 2', 'x connected true'];

describe('StrictMode', () => {
  test('mounts twice, follows once, tells once', async () => {
    const client = new FakeClient();
    const { told, Everything } = everything();
    const page = pageOf(client, <Everything />, true);
    await live(client);
    expect(client.all).toHaveLength(4);
    expect(told).toEqual(TOLD);
    client.on('cast:c1').event(castEvent('c1', 'COMPLETED', { status: 'succeeded' }, 2));
    await frame();
    expect(told.slice(5)).toEqual(['x status succeeded', 'x complete', 'x connected false']);
    page.unmount();
    await pass(1100);
    expect(client.open).toEqual([]);
    expect(client.watchers.size).toBe(0);
  });

  test('effects that run anew with a new tree of the same key follow once', async () => {
    const client = new FakeClient();
    const { told, Everything } = everything();
    const page = pageOf(client, <Everything key="1" />, true);
    await live(client);
    // As a hot reload does that cannot keep the state.
    page.show(<Everything key="2" name="y" />);
    await frame();
    expect(client.all).toHaveLength(4);
    expect(told.slice(5)).toEqual(['y status queued', 'y connected true', 'y c2 queued']);
    client.on('doc').event(event('doc', 't', 3));
    await frame();
    expect(told.at(-1)).toBe('y doc 3');
  });
});

describe('a hook that leaves and is back', () => {
  test('within the second goes on with what is there; later it begins anew', async () => {
    const client = new FakeClient();
    const { told, Everything } = everything();
    const page = pageOf(client, <Everything />);
    await live(client);
    page.show(null);
    await pass(500);
    page.show(<Everything />);
    expect(page.text).toBe('queued');
    await pass(5000);
    expect(client.all).toHaveLength(4);
    page.show(null);
    await pass(1001);
    expect(client.open).toEqual([]);
    page.show(<Everything />);
    expect(page.text).toBe('-');
    await live(client);
    expect(client.all).toHaveLength(8);
    expect(told.filter((word) => word === 'x status queued')).toHaveLength(3);
  });

  test('nothing is told after it left', async () => {
    const client = new FakeClient();
    const { told, Everything } = everything();
    const page = pageOf(client, <Everything />);
    await live(client);
    client.on('doc').event(event('doc', 't', 9));
    client.on('cast:c1').event(castEvent('c1', 'COMPLETED', { status: 'succeeded' }, 2));
    page.show(null);
    await pass(2000);
    expect(told).toEqual(TOLD);
  });

  // Of React 19.2 on.
  const { Activity } = React as { Activity?: React.FC<{ mode: 'visible' | 'hidden'; children: React.ReactNode }> };
  test.skipIf(Activity === undefined)(
    'a tree that is hidden follows nothing, and is right when it is seen again',
    async () => {
      if (Activity === undefined) return;
      const client = new FakeClient();
      const { told, Everything } = everything();
      const tree = (mode: 'visible' | 'hidden') => (
        <Activity mode={mode}>
          <Everything />
        </Activity>
      );
      const page = pageOf(client, tree('visible'));
      await live(client);
      page.show(tree('hidden'));
      await pass(1100);
      expect(client.open).toEqual([]);
      page.show(tree('visible'));
      await frame();
      client
        .on('cast:c1')
        .snapshot(cast('c1', { status: 'succeeded', version: 4 }))
        .open();
      await frame();
      expect(page.text).toBe('succeeded');
      expect(told.slice(5)).toEqual(['x connected false', 'x status succeeded']);
    },
  );
});

describe('concurrent rendering', () => {
  test('a render that is thrown away follows nothing', async () => {
    const client = new FakeClient();
    const { Everything } = everything();
    let finish = () => {};
    const pending = new Promise<void>((resolve) => {
      finish = resolve;
    });
    let isDone = false;
    function Slow() {
      if (!isDone) throw pending;
      return 'done ';
    }
    const page = pageOf(
      client,
      <Suspense fallback="waiting">
        <Everything />
        <Slow />
      </Suspense>,
    );
    await pass(5000);
    expect(page.text).toBe('waiting');
    expect(client.all).toEqual([]);
    expect(client.watchers.size).toBe(0);
    isDone = true;
    finish();
    await pass(100);
    await live(client);
    expect(page.text).toBe('queueddone ');
    expect(client.all).toHaveLength(4);
  });

  test('a transition that suspends keeps the old following; the new one begins when it is shown', async () => {
    const client = new FakeClient();
    let finish = () => {};
    const pending = new Promise<void>((resolve) => {
      finish = resolve;
    });
    let isDone = false;
    let setId: (id: string) => void = () => {};
    function Detail({ id }: { id: string }) {
      const { lastEvent } = useCastEvents({ castId: id });
      if (id === 'c2' && !isDone) throw pending;
      return `${id} ${lastEvent?.status ?? '-'}`;
    }
    function App() {
      const [id, set] = useState('c1');
      setId = set;
      return (
        <Suspense fallback="waiting">
          <Detail id={id} />
        </Suspense>
      );
    }
    const page = pageOf(client, <App />);
    await frame();
    client.on('cast:c1').snapshot(cast('c1')).open();
    await frame();
    act(() => startTransition(() => setId('c2')));
    expect(page.text).toBe('c1 queued');
    client.on('cast:c1').event(castEvent('c1', 'STARTED', { status: 'running' }, 2));
    await frame();
    expect(page.text).toBe('c1 running');
    expect(client.all).toHaveLength(1);
    isDone = true;
    finish();
    await pass(100);
    expect(page.text).toBe('c2 -');
    client.on('cast:c2').snapshot(cast('c2')).open();
    await frame();
    expect(page.text).toBe('c2 queued');
    await pass(1100);
    expect(client.open).toHaveLength(1);
  });

  test('a tree is never half old, half new', async () => {
    const client = new FakeClient();
    const seen: string[] = [];
    function Row({ name }: { name: string }) {
      const { lastEvent } = useCastEvents({ castId: 'c1' });
      return <span>{`${name}:${lastEvent?.progress ?? '-'}`}</span>;
    }
    function Look({ text }: { text: () => string | null }) {
      useEffect(() => void seen.push(text() ?? ''));
      useCastEvents({ castId: 'c1' });
      return null;
    }
    let page: ReturnType<typeof pageOf> | undefined;
    page = pageOf(
      client,
      <>
        <Row name="a" />
        <Row name="b" />
        <Look text={() => page?.text ?? null} />
      </>,
    );
    await frame();
    client
      .on('cast:c1')
      .snapshot(cast('c1', { status: 'running' }))
      .open();
    for (let version = 2; version < 20; version += 1) {
      client.on('cast:c1').event(castEvent('c1', 'PROGRESS_UPDATE', { progress: version }, version));
      if (version % 3 === 0) act(() => startTransition(() => {}));
      await frame();
    }
    expect(seen.length).toBeGreaterThan(15);
    for (const text of seen.slice(1)) {
      const [, a, b] = /^a:(.+)b:(.+)$/.exec(text) ?? [];
      expect(a).toBe(b);
    }
  });
});
