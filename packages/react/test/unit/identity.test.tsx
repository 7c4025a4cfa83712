// @vitest-environment happy-dom
// Somebody else at the page: what was known of the former user is shown to nobody, and everything is asked for again.

import { TidingsError } from '@tidings/client';
import {
  type CastEventsResult,
  type CastPollingResult,
  type CastsResult,
  type ChannelResult,
  type ConnectionStatus,
  type SnapshotResult,
  useCastEvents,
  useCastPolling,
  useCasts,
  useChannel,
  useConnectionStatus,
  useSnapshot,
} from '@tidings/react';
import { useLayoutEffect } from 'react';
import { describe, expect, test } from 'vitest';
import { CONNECTED, cast, castEvent, event, FakeClient } from './support/fake-client.ts';
import { frame, pageOf, pass, withFakeClock } from './support/render.tsx';

withFakeClock();

const SIGNED_OUT = new TidingsError({ kind: 'auth', code: 'signed_out', status: 401 });
const LOST = new TidingsError({ kind: 'network', code: 'network' });

interface Seen {
  readonly channel: ChannelResult;
  readonly record: SnapshotResult<string>;
  readonly running: CastEventsResult;
  readonly ended: CastEventsResult;
  readonly casts: CastsResult;
  readonly polled: CastPollingResult;
  readonly connection: ConnectionStatus;
}

/** A page that follows one of everything, as A, who has seen something of each. */
async function pageOfA() {
  const client = new FakeClient();
  const [seen, initial]: [Seen[], string[]] = [[], []];
  const fold = (_: string, { data }: { data: unknown }) => String(data);
  function Page() {
    const onStatus = ({ status }: { status: string }, { isInitial }: { isInitial: boolean }) => {
      if (isInitial) initial.push(status);
    };
    seen.push({
      channel: useChannel('news'),
      record: useSnapshot<string>('/api/docs/1', 'doc:1', fold),
      running: useCastEvents({ castId: 'c1' }, { onStatus }),
      ended: useCastEvents({ castId: 'c2' }),
      casts: useCasts(['c3']),
      polled: useCastPolling('c4'),
      connection: useConnectionStatus(),
    });
    return null;
  }
  const page = pageOf(client, <Page />);
  await frame();
  client
    .on('news')
    .open()
    .event(event('news', 't', "A's"));
  client.on('doc:1').snapshot("A's").open();
  client
    .on('cast:c1')
    .snapshot(cast('c1', { status: 'running', message: "A's" }))
    .open();
  client.on('cast:c2').snapshot(cast('c2', { status: 'succeeded', artifactUrl: "A's" }));
  client
    .on('cast:c3')
    .snapshot(cast('c3', { message: "A's" }))
    .open();
  client.requests.at(-1)?.answer(200, cast('c4', { message: "A's" }));
  await frame();
  const now = () => seen.at(-1) as Seen;
  expect(shown(now())).toHaveLength(6);
  return { client, page, now, initial };
}

/** Where something of A's is to be seen. */
function shown(seen: Seen): string[] {
  return Object.entries(seen).flatMap(([name, result]) => (JSON.stringify(result).includes("A's") ? [name] : []));
}

describe('somebody who was signed in', () => {
  test('is seen no more once the server says so; the next one gets everything anew', async () => {
    const { client, now, initial } = await pageOfA();
    client.become({ state: 'refused', error: SIGNED_OUT });
    await frame();
    expect(shown(now())).toEqual([]);
    expect(now().running).toMatchObject({ isConnected: false, lastEvent: null, error: SIGNED_OUT });
    expect(now().record).toMatchObject({ data: undefined, isConnected: false, error: SIGNED_OUT });
    now().connection.reconnect();
    expect(client.reconnects).toBe(1);
    client.become(CONNECTED);
    await frame();
    const [records, before] = [client.all.length, client.requests.length];
    client.on('news').event(event('news', 't', "B's"));
    client.on('doc:1').snapshot("B's").open();
    client
      .on('cast:c1')
      .snapshot(cast('c1', { status: 'running', message: "B's" }))
      .open();
    for (const id of ['cast:c2', 'cast:c3']) client.on(id).refuse(403, 'forbidden');
    client.requests.at(-1)?.answer(403, { code: 'forbidden' });
    await frame();
    await pass(50);
    expect(shown(now())).toEqual([]);
    expect(now().record).toMatchObject({ data: "B's", isReady: true, isConnected: true, error: null });
    expect(now().channel).toMatchObject({ isConnected: true, lastEvent: { data: "B's" } });
    expect(now().ended).toMatchObject({ lastEvent: null, error: { code: 'forbidden' } });
    expect(now().casts.errors['c3']).toMatchObject({ code: 'forbidden' });
    expect(now().polled).toMatchObject({ cast: null, error: { code: 'forbidden' } });
    expect(initial).toEqual(['running', 'running']);
    // Each was asked for once.
    expect([client.all.length, client.requests.length]).toEqual([records, before]);
  });

  test('is seen no more where the client itself is told to reconnect', async () => {
    const { client, now } = await pageOfA();
    client.become({ state: 'refused', error: SIGNED_OUT });
    await frame();
    client.become(CONNECTED);
    client.on('doc:1').event(event('doc:1', 't', "A's, from where the stream was"));
    await frame();
    expect(shown(now())).toEqual([]);
    client.on('doc:1').snapshot("B's").open();
    await frame();
    expect(now().record.data).toBe("B's");
  });

  test('is seen no more where another one signs in before the server has ended anything', async () => {
    const { client, now } = await pageOfA();
    const channel = client.on('news');
    now().connection.reconnect();
    await frame();
    expect(shown(now())).toEqual([]);
    // Events go on where they were; what is read is read again.
    expect(channel.isClosed).toBe(false);
    client.on('doc:1').snapshot("B's").open();
    await frame();
    expect(now().record.data).toBe("B's");
  });

  test('is not found by who comes within the second in which things linger', async () => {
    const { client, page, now } = await pageOfA();
    const { reconnect } = now().connection;
    function Other() {
      const { data } = useSnapshot<string>('/api/docs/1', 'doc:1', String);
      const { lastEvent } = useCastEvents({ castId: 'c1' });
      return JSON.stringify([data, lastEvent]);
    }
    page.show(null);
    reconnect();
    await frame();
    expect(client.open).toEqual([]);
    const other = pageOf(client, <Other />);
    expect(other.text).not.toContain("A's");
    await frame();
    expect(other.text).not.toContain("A's");
  });

  test('keeps what is there while only the network fails', async () => {
    const { client, now } = await pageOfA();
    const before = client.all.length;
    client.become({ state: 'reconnecting', attempt: 1, error: LOST });
    await frame();
    now().connection.reconnect();
    await frame();
    expect(shown(now())).toHaveLength(6);
    client.become(CONNECTED);
    await frame();
    expect(shown(now())).toHaveLength(6);
    expect(client.all).toHaveLength(before);
  });
});

describe('a right that has ended', () => {
  test.each([
    ['a refusal', (client: FakeClient) => client.on('cast:c1').refuse(403, 'forbidden_channel')],
    ['the end of a right', (client: FakeClient) => client.on('cast:c1').gap('unauthorized')],
  ])('by %s hides what was known by it, and nothing else', async (_, end) => {
    const { client, now } = await pageOfA();
    end(client);
    client.on('doc:1').gap('unauthorized');
    client.on('news').error(new TidingsError({ kind: 'forbidden', code: 'forbidden_channel', status: 403 }, 'news'));
    await frame();
    expect(shown(now())).toEqual(['ended', 'casts', 'polled']);
    for (const result of [now().channel, now().record, now().running])
      expect(result).toMatchObject({ isConnected: false, error: { status: 403 } });
    expect(now().channel.isReady).toBe(false);
  });

  test('of one channel of two is not called connected; the other is followed', async () => {
    const client = new FakeClient();
    const results: ChannelResult[] = [];
    function Two() {
      results.push(useChannel(['a', 'b']));
      return null;
    }
    pageOf(client, <Two />);
    await frame();
    const following = client.on('a');
    following.error(new TidingsError({ kind: 'forbidden', code: 'too_many_channels', status: 403 }, 'b'));
    following.open().event(event('a', 't', 1));
    await frame();
    expect(results.at(-1)).toMatchObject({ isReady: true, isConnected: false, lastEvent: { data: 1 } });
    expect(results.at(-1)?.error?.message).toContain('too_many_channels');
    // There was room later.
    following.event(event('b', 't', 2));
    await frame();
    expect(results.at(-1)).toMatchObject({ isReady: true, isConnected: true, error: null, lastEvent: { data: 2 } });
    for (const channel of ['a', 'b'])
      following.error(new TidingsError({ kind: 'forbidden', code: 'too_many_channels', status: 403 }, channel));
    await frame();
    expect(results.at(-1)).toMatchObject({ isReady: false, isConnected: false, lastEvent: null });
    for (const channel of ['a', 'b']) following.event(event(channel, 't', channel));
    await frame();
    expect(results.at(-1)).toMatchObject({ isReady: true, isConnected: true, error: null, lastEvent: { data: 'b' } });
  });

  test('hides a cast that was read at intervals', async () => {
    const { client, now } = await pageOfA();
    await pass(5000);
    client.requests.at(-1)?.answer(403, { code: 'forbidden' });
    await pass(50);
    expect(shown(now())).not.toContain('polled');
    expect(now().polled).toMatchObject({ cast: null, isPolling: false, error: { code: 'forbidden' } });
  });
});

describe('handlers', () => {
  test('of another topic are not told of what came of the one before', async () => {
    const client = new FakeClient();
    const told: string[] = [];
    function Room({ room }: { room: string }) {
      useChannel(room, ({ channel }) => told.push(`${room} told of ${channel}`));
      useCasts([room.slice(5)], { onProgress: ({ castId }) => told.push(`${room} told of cast ${castId}`) });
      // Between this and the effects in which hooks leave what they followed, so much comes that it is handed out at once.
      useLayoutEffect(() => {
        if (room !== 'room:2') return;
        for (let count = 0; count < 500; count += 1) {
          client.on('room:1').event(event('room:1', 't', 2));
          client.on('cast:1').event(castEvent('1', 'PROGRESS_UPDATE', { progress: 2 }, 3));
        }
      }, [room]);
      return null;
    }
    const page = pageOf(client, <Room room="room:1" />);
    await frame();
    const first = [client.on('room:1').open(), client.on('cast:1').snapshot(cast('1')).open()] as const;
    await frame();
    first[0].event(event('room:1', 't', 1));
    first[1].event(castEvent('1', 'PROGRESS_UPDATE', { progress: 1 }, 2));
    await frame();
    expect(told.splice(0)).toEqual(['room:1 told of room:1', 'room:1 told of cast 1']);
    page.show(<Room room="room:2" />);
    await frame();
    client
      .on('room:2')
      .open()
      .event(event('room:2', 't', 3));
    await frame();
    expect(told).toEqual(['room:2 told of room:2']);
  });
});
