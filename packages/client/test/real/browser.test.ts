// The client in Chromium against the real server: each transport, tickets, the cookie, sleep, the debug log.

import { Server, type User } from '@tidings/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Browser } from '../support/browser.ts';
import { publishNumbers } from '../support/publish.ts';

interface Told {
  readonly ids: { readonly [channel: string]: readonly string[] };
  readonly gaps: readonly string[];
  readonly errors: readonly string[];
  readonly statuses: readonly string[];
  readonly lines: readonly string[];
  readonly state: string;
  readonly transport: string;
  readonly code: string | null;
}

let browser: Browser;
let server: Server;
let key: string;
beforeAll(async () => {
  browser = await Browser.start();
  const grants = 'auth.user_grants = ["subscribe:shared:*"]';
  server = await Server.start(`stream.heartbeat = "1s"\ncors.origins = ["${browser.origin}"]\n${grants}\n`);
  key = (await server.key()).key;
});
afterAll(async () => {
  await browser?.stop();
  await server?.stop();
});

const told = (name: number) => browser.call<Told>('told', name);

async function until(name: number, what: string, holds: (now: Told) => boolean): Promise<Told> {
  const end = Date.now() + 20_000;
  for (;;) {
    const now = await told(name);
    if (holds(now)) return now;
    if (Date.now() > end) throw new Error(`still waiting for ${what}: ${JSON.stringify(now)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

// What is silent for long on a busy machine is not given up.
const short = { heartbeat: 1000, watchdog: 15_000, backoff: { initial: 20, max: 200 } };

describe('with a token', () => {
  for (const transport of ['websocket', 'sse', 'eventsource', 'poll']) {
    test(`${transport}: order, another channel, a crash`, async () => {
      const options = { url: server.url, token: key, transports: [transport], ...short };
      const name = await browser.call<number>('make', options);
      const [a, b] = [`page:${transport}:a`, `page:${transport}:b`];
      expect(await browser.call('subscribe', name, a)).toBe('ready');
      const ids = await publishNumbers(server, key, a, 20);
      const early = await publishNumbers(server, key, b, 5);
      expect(await browser.call('subscribe', name, { channels: b, since: early[1] })).toBe('ready');
      await server.crash();
      ids.push(...(await publishNumbers(server, key, a, 5)));
      early.push(...(await publishNumbers(server, key, b, 5)));
      const now = await until(name, 'all', ({ ids: has }) => has[a]?.length === 25 && has[b]?.length === 8);
      expect(now.ids).toEqual({ [a]: ids, [b]: early.slice(2) });
      expect([now.gaps, now.errors, now.transport]).toEqual([[], [], transport]);
      await browser.call('close', name);
    });
  }

  test('a refusal that the browser hides is found out', async () => {
    for (const transport of ['websocket', 'eventsource']) {
      const options = { url: server.url, token: 'tdk_wrong', transports: [transport], ...short };
      const name = await browser.call<number>('make', options);
      await browser.call('start', name, 'page:refused');
      const now = await until(name, 'refused', ({ state }) => state === 'refused');
      expect(now.code).toBe('unauthenticated');
      await browser.call('close', name);
    }
  });
});

describe('with the cookie', () => {
  let user: User;
  beforeAll(async () => {
    user = await server.user();
    const login = `fetch('${server.url}/auth/login', { method: 'POST', credentials: 'include',
      body: JSON.stringify(${JSON.stringify({ email: user.email, password: user.password })}) }).then(({ status }) => status)`;
    expect(await browser.page.evaluate(login)).toBe(200);
  });

  for (const transport of ['websocket', 'sse', 'eventsource', 'poll']) {
    test(`${transport}: no ticket is needed, and signing out is a refusal`, async () => {
      const options = { url: server.url, credentials: 'include', transports: [transport], ...short };
      const name = await browser.call<number>('make', options);
      const [a, b] = [`shared:${transport}:a`, `shared:${transport}:b`];
      expect(await browser.call('subscribe', name, a)).toBe('ready');
      const early = await publishNumbers(server, key, b, 3);
      expect(await browser.call('subscribe', name, { channels: b, since: early[0] })).toBe('ready');
      expect(await browser.call('subscribe', name, 'private')).toBe('forbidden_channel');
      const ids = await publishNumbers(server, key, a, 3);
      const now = await until(name, 'all', ({ ids: has }) => has[a]?.length === 3 && has[b]?.length === 2);
      expect(now.ids[a]).toEqual(ids);
      expect(now.ids[b]).toEqual(early.slice(1));
      expect(now.statuses.filter((status) => !status.startsWith('connect'))).toEqual([]);
      await browser.call('close', name);
    });
  }

  test('signing out ends the stream, and signing in again starts anew', async () => {
    const options = { url: server.url, credentials: 'include', transports: ['websocket'], ...short };
    const name = await browser.call<number>('make', options);
    expect(await browser.call('subscribe', name, 'shared:out')).toBe('ready');
    await browser.page.evaluate(`fetch('${server.url}/auth/logout', { method: 'POST', credentials: 'include' })`);
    const now = await until(name, 'refused', ({ state }) => state === 'refused');
    expect(now.code).toBe('signed_out');
    await browser.call('close', name);
  });
});

describe('the page', () => {
  test('whose network goes and comes back goes on where it was', async () => {
    const name = await browser.call<number>('make', { url: server.url, token: key, ...short });
    expect(await browser.call('subscribe', name, 'page:offline')).toBe('ready');
    const ids = await publishNumbers(server, key, 'page:offline', 3);
    await until(name, 'all', ({ ids: has }) => has['page:offline']?.length === 3);
    await browser.page.context().setOffline(true);
    try {
      // What is open goes on for as long as it does.
      ids.push(...(await publishNumbers(server, key, 'page:offline', 1)));
      await until(name, 'the fourth', ({ ids: has }) => has['page:offline']?.length === 4);
      await server.crash();
      await until(name, 'offline', ({ state }) => state === 'offline');
      ids.push(...(await publishNumbers(server, key, 'page:offline', 2)));
    } finally {
      await browser.page.context().setOffline(false);
    }
    const now = await until(name, 'all', ({ ids: has }) => has['page:offline']?.length === 6);
    expect(now.ids['page:offline']).toEqual(ids);
    expect(now.gaps).toEqual([]);
    await browser.call('close', name);
  });

  test('can be told what the connection does', async () => {
    const options = { url: server.url, token: key, traced: 'tidings:*,-tidings:ping', ...short };
    const name = await browser.call<number>('make', options);
    expect(await browser.call('subscribe', name, 'page:debug')).toBe('ready');
    const { lines } = await told(name);
    expect(lines.slice(0, 2)).toEqual(['tidings:want idle → opening', 'tidings:ready opening → live']);
    await browser.call('close', name);
  });

  test('shows it where localStorage says so', async () => {
    const shown: string[] = [];
    browser.page.on('console', (message) => shown.push(message.text()));
    await browser.page.evaluate("localStorage.setItem('debug', 'tidings:ready')");
    const name = await browser.call<number>('make', { url: server.url, token: key, ...short });
    expect(await browser.call('subscribe', name, 'page:debug')).toBe('ready');
    await browser.call('close', name);
    await browser.page.evaluate('localStorage.clear()');
    expect(shown.some((text) => text.startsWith('tidings:ready opening → live'))).toBe(true);
    expect(shown.join()).not.toContain(key);
  });
});
