// What callers without types may give: it is refused at once, by its name, with what it may be.

import { describe, expect, test, vi } from 'vitest';
import { followCast } from '../../src/casts/index.ts';
import { type Client, type ClientOptions, createClient } from '../../src/index.ts';

const url = 'http://server.test';
const cursor = '0000000000009.0000001';
const none = () => {};

/** Takes anything, as JavaScript does. */
const loosely = <Type>(value: unknown) => value as Type;

const clientOf = (options: object = {}) => createClient(loosely<ClientOptions>({ url, ...options }));

const wrongOptions: readonly [object, string, ErrorConstructor][] = [
  [{ url: 5 }, '`options.url` is 5; it must be of type string', TypeError],
  [{ url: null }, '`options.url` is null', TypeError],
  [{ url: 'ftp://a.test' }, '`options.url` is "ftp://a.test"; it must be an http, https, ws or wss address', TypeError],
  [{ url: 'a.test:8080' }, '`options.url` is "a.test:8080"', TypeError],
  [{ url: 'http://a b' }, '`options.url` is "http://a b"', TypeError],
  [{ auth: {} }, '`options.auth` is of type object; it must be of type string or function', TypeError],
  [{ auth: null }, '`options.auth` is null', TypeError],
  [{ credentials: 'same' }, '`options.credentials` is "same"', TypeError],
  [{ transports: 'ws' }, '`options.transports` is "ws"; it must be of type array', TypeError],
  [
    { transports: ['ws'] },
    '`options.transports` is "ws"; it must be one of websocket, sse, eventsource, poll',
    TypeError,
  ],
  [{ transports: ['constructor'] }, '`options.transports` is "constructor"', TypeError],
  [{ transports: ['sse', null] }, '`options.transports[1]` is null', TypeError],
  [{ transports: [{}] }, '`options.transports.isSupported` is undefined', TypeError],
  [{ heartbeat: '5s' }, '`options.heartbeat` is "5s"; it must be a number, 1 or more', TypeError],
  [{ heartbeat: Number.NaN }, '`options.heartbeat` is NaN', RangeError],
  [{ watchdog: 0 }, '`options.watchdog` is 0', RangeError],
  [{ openTimeout: -1 }, '`options.openTimeout` is -1', RangeError],
  [{ backoff: 1000 }, '`options.backoff` is 1000; it must be of type object', TypeError],
  [{ backoff: { initial: -1 } }, '`options.backoff.initial` is -1; it must be a number, 1 or more', RangeError],
  [{ backoff: { initial: 0 } }, '`options.backoff.initial` is 0', RangeError],
  [{ backoff: { max: '30s' } }, '`options.backoff.max` is "30s"', TypeError],
  [{ backoff: { attempts: -1 } }, '`options.backoff.attempts` is -1; it must be a number, 0 or more', RangeError],
  [{ restoreAfter: 1n }, '`options.restoreAfter` is 1; it must be a number', TypeError],
  [{ suspendAfter: -5 }, '`options.suspendAfter` is -5', RangeError],
  [{ linger: null }, '`options.linger` is null', TypeError],
  [{ queueLimit: '1000' }, '`options.queueLimit` is "1000"', TypeError],
  [{ recentLimit: Number.NaN }, '`options.recentLimit` is NaN', RangeError],
  [{ tabs: 7 }, '`options.tabs` is 7; it must be of type string or boolean', TypeError],
  [{ environment: 'node' }, '`options.environment` is "node"', TypeError],
  [{ trace: true }, '`options.trace` is true', TypeError],
];

describe('options', () => {
  test.each(wrongOptions)('%o', (options, says, Kind) => {
    const make = () => clientOf(options);
    expect(make).toThrow(says);
    expect(make).toThrow(Kind);
  });

  test('are an object', () => {
    expect(() => createClient(loosely(url))).toThrow('`options` is "http://server.test"; it must be of type object');
    expect(() => createClient(loosely(null))).toThrow('`options` is null');
  });

  test('that may be what they are make a client', () => {
    const backoff = { initial: 1, max: Number.POSITIVE_INFINITY, attempts: 0 };
    const times = { heartbeat: 1, watchdog: 1.5, openTimeout: Number.POSITIVE_INFINITY, restoreAfter: 1 };
    const limits = { suspendAfter: 0, linger: 0, queueLimit: 0, recentLimit: 0 };
    const transports = ['poll', { name: 'own', isSupported: () => true, open: none }];
    const rest = { auth: none, credentials: 'omit', tabs: true, environment: {}, trace: none };
    expect(clientOf({ backoff, ...times, ...limits, transports, ...rest }).status.state).toBe('idle');
    expect(clientOf({ auth: 'key', tabs: 'me', url: 'wss://a.test/x?y' }).status.state).toBe('idle');
  });

  test('a credential in the address is refused, and not shown', () => {
    const make = () => clientOf({ url: 'https://me:secret@a.test/x' });
    expect(make).toThrow('`options.url` is "…@a.test/x"');
    expect(() => clientOf({ url: 'https:/me:secret@a.test' })).toThrow('`options.url` is "…@a.test"');
    expect(clientOf({ url: 'https://a.test/@x' }).status.state).toBe('idle');
  });
});

const wrongNames: readonly [unknown, string, ErrorConstructor][] = [
  [undefined, '`what` is undefined; it must be of type string or array or object', TypeError],
  [5, '`what` is 5', TypeError],
  ['', '`channels[0]` is ""; it must be a string that matches', TypeError],
  ['a b', '`channels[0]` is "a b"', TypeError],
  [['a', null], '`channels[1]` is null', TypeError],
  [[], '`channels.length` is 0; it must be 1 to 1000', RangeError],
  [{}, '`channels` is undefined; it must be of type array', TypeError],
  [{ channels: 'a', since: 'yesterday' }, '`what.since` is "yesterday"', TypeError],
  [{ channels: 'a', since: null }, '`what.since` is null', TypeError],
  [{ channels: 'a', since: [cursor] }, '`what.since` is of type array', TypeError],
  [{ channels: 'a', types: 'a' }, '`what.types` is "a"; it must be of type array', TypeError],
  [{ channels: 'a', types: ['a', 'b c'] }, '`what.types[1]` is "b c"', TypeError],
  [{ channels: 'a', types: ['error'] }, '`what.types[0]` is "error"', TypeError],
  [{ channels: 'a', categories: 'A' }, '`what.categories` is "A"', TypeError],
  [{ channels: 'a', categories: ['lower'] }, '`what.categories[0]` is "lower"', TypeError],
];

describe('what is followed', () => {
  test.each(wrongNames)('%o', (what, says, Kind) => {
    const client = clientOf();
    for (const follow of [
      () => client.subscribe(loosely<string>(what), none),
      () => client.snapshot('/x', loosely<string>(what), { onSnapshot: none }),
    ]) {
      expect(follow).toThrow(says);
      expect(follow).toThrow(Kind);
    }
    expect(client.status.state).toBe('idle');
  });

  test('may be this, each once', () => {
    const client = clientOf({ environment: { fetch: undefined, WebSocket: undefined, EventSource: undefined } });
    const types = ['t', 'error.x', 'gig:created', 'x'.repeat(100)];
    for (const what of [
      'a',
      ['a', 'a:*', '*'],
      { channels: ['a', 'a'], types, categories: ['A_B'], since: cursor },
      { channels: new Array(1001).fill('a'), since: 'start', types: [] },
    ]) {
      client.subscribe(loosely<string>(what), none);
    }
    client.close();
  });

  test('goes to something that can be called', () => {
    const client = clientOf();
    const listen = (listener: unknown) => () => client.subscribe('a', loosely<() => void>(listener));
    expect(listen(undefined)).toThrow('`listener` is undefined');
    expect(listen('f')).toThrow('`listener` is "f"');
    expect(listen({ onEvent: 'f' })).toThrow('`listener.onEvent` is "f"; it must be of type function');
    expect(listen({ onGap: null })).toThrow('`listener.onGap` is null');
    expect(() => client.onStatus(loosely(undefined))).toThrow('`listener` is undefined');
    const record = (source: unknown, listeners: unknown) => () =>
      client.snapshot(loosely(source), 'a', loosely<{ onSnapshot(): void }>(listeners));
    expect(record('/x', undefined)).toThrow('`listeners` is undefined');
    expect(record('/x', {})).toThrow('`listeners.onSnapshot` is undefined');
    expect(record('/x', { onSnapshot: none, onError: 1 })).toThrow('`listeners.onError` is 1');
    expect(record('x', { onSnapshot: none })).toThrow('`source` is "x"');
    expect(record(5, { onSnapshot: none })).toThrow('`source` is 5');
  });
});

test('requests go to the server alone: a path begins with a slash', async () => {
  const fetch = vi.fn(async (_: string) => new Response('{}'));
  const client = clientOf({ auth: 'key', environment: { fetch } });
  for (const path of ['.evil.test/', '@evil.test/', 'x', 5]) {
    await expect(client.fetch(loosely(path))).rejects.toThrow('`path` is');
  }
  await expect(client.ticket(loosely('a'))).rejects.toThrow('`channels` is "a"; it must be of type array');
  await expect(client.ticket(['a b'])).rejects.toThrow('`channels[0]` is "a b"');
  expect(fetch).not.toHaveBeenCalled();
  await client.fetch('/x');
  await client.ticket(['a']);
  expect(fetch.mock.calls.map(([address]) => address)).toEqual([`${url}/x`, `${url}/v1/tickets`]);
});

test.each([undefined, null, '', 7, 'a b', 'a/b', 'events', 'x'.repeat(121)])('%o is no cast', (id) => {
  const snapshot = vi.fn<Client['snapshot']>(() => ({ ready: Promise.resolve(), close: none }));
  const client = loosely<Client>({ snapshot });
  expect(() => followCast(client, loosely(id), {})).toThrow('tidings: `castId` is');
  expect(() => followCast(client, 'c', loosely(undefined))).toThrow('`listeners` is undefined');
  expect(() => followCast(client, 'c', loosely({ onEnd: 1 }))).toThrow('`listeners.onEnd` is 1');
  expect(snapshot).not.toHaveBeenCalled();
  followCast(client, 'cast_1.~@-', {});
  expect(snapshot).toHaveBeenCalledTimes(1);
});
