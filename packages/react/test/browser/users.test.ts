// Two users in two browsers: each sees its own casts, and signing out ends the one's alone.

import { Server, type User } from '@tidings/testkit';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createCastHelpers, createPublisher } from '../../../publisher/src/index.ts';
import { complaints, launch, signIn } from '../support/chromium.ts';
import { figures, until } from '../support/figures.ts';
import { Site } from '../support/site.ts';
import type { CastShown } from './pages/user.tsx';

const FILES = 'https://files.example.test';

let site: Site;
let server: Server;
let browser: Browser;
let address: string;
beforeAll(async () => {
  site = await Site.start();
  address = await site.page('user', new URL('pages/user.tsx', import.meta.url).pathname, 'development');
  server = await Server.start(`cors.origins = ["${site.origin}"]\n`);
  browser = await launch();
});
afterAll(async () => {
  await browser?.close();
  await server?.stop();
  await site?.stop();
});

class Someone {
  readonly #page: Page;
  readonly complaints: string[];
  /** Everything that this browser was sent by the server, over whatever transport. */
  readonly received: string[] = [];

  private constructor(page: Page) {
    this.#page = page;
    this.complaints = complaints(page);
    page.on('websocket', (socket) => socket.on('framereceived', ({ payload }) => this.received.push(String(payload))));
    page.on('response', (response) => {
      if (!response.url().startsWith(server.url)) return;
      response.text().then(
        (text) => this.received.push(text),
        () => {},
      );
    });
  }

  static async open(user: User, casts: readonly string[]): Promise<Someone> {
    const context = await browser.newContext();
    const someone = new Someone(await context.newPage());
    await someone.#page.goto(address);
    await signIn(someone.#page, server.url, user);
    await someone.#page.evaluate(`window.user.start(${JSON.stringify(server.url)}, ${JSON.stringify(casts)})`);
    return someone;
  }

  shown = () => this.#page.evaluate('window.user.shown()') as Promise<{ [id: string]: CastShown }>;

  async cast(id: string): Promise<CastShown> {
    const found = (await this.shown())[id];
    if (found === undefined) throw new Error(`${id} is not on the page`);
    return found;
  }

  async signIn(user: User): Promise<void> {
    await signIn(this.#page, server.url, user);
    await this.#page.evaluate('window.user.reconnect()');
  }

  async signOut(): Promise<void> {
    const logout = `fetch('${server.url}/auth/logout', { method: 'POST', credentials: 'include' }).then(({ ok }) => ok)`;
    expect(await this.#page.evaluate(logout)).toBe(true);
  }

  close(): Promise<void> {
    return this.#page.context().close();
  }
}

test('two users see their own casts, and signing out ends the one alone', { timeout: 60_000 }, async () => {
  const { key } = await server.key();
  const publisher = createPublisher({ url: server.url, apiKey: key });
  const tell = createCastHelpers(publisher);
  const [ann, ben] = [await server.user(), await server.user()];
  await tell.publishCastStarted('of-ann', ann.id, new Date());
  await tell.publishCastStarted('of-ben', ben.id, new Date());

  const [hers, his] = [await Someone.open(ann, ['of-ann', 'of-ben']), await Someone.open(ben, ['of-ben', 'of-ann'])];
  await until(
    'her cast',
    () => hers.cast('of-ann'),
    ({ isConnected }) => isConnected,
  );
  await until(
    'his cast',
    () => his.cast('of-ben'),
    ({ isConnected }) => isConnected,
  );
  for (const [someone, other] of [
    [hers, 'of-ben'],
    [his, 'of-ann'],
  ] as const) {
    const refused = await until(
      'the refusal',
      () => someone.cast(other),
      ({ error }) => error !== null,
    );
    expect(refused).toMatchObject({ told: [], isConnected: false, status: null, code: 'forbidden' });
  }

  const sent = (who: string, count: number) => Array.from({ length: count }, (_, n) => `${FILES}/${who}-${n}`);
  for (let n = 0; n < 5; n += 1) {
    await tell.publishCastArtifactReady('of-ann', ann.id, `${FILES}/ann-${n}`);
    await tell.publishCastArtifactReady('of-ben', ben.id, `${FILES}/ben-${n}`);
  }
  await until(
    'all of hers',
    () => hers.cast('of-ann'),
    ({ told }) => told.length === 6,
  );
  await until(
    'all of his',
    () => his.cast('of-ben'),
    ({ told }) => told.length === 6,
  );
  expect(await hers.cast('of-ann')).toMatchObject({ told: ['running', ...sent('ann', 5)] });
  expect(await his.cast('of-ben')).toMatchObject({ told: ['running', ...sent('ben', 5)] });
  expect((await figures(server)).streams).toBe(2);

  await hers.signOut();
  const out = await until(
    'signed out',
    () => hers.cast('of-ann'),
    ({ error }) => error !== null,
  );
  expect(out).toMatchObject({ isConnected: false, code: 'signed_out', status: null });
  await until(
    'one stream',
    () => figures(server),
    ({ streams }) => streams === 1,
  );
  for (const [id, { id: owner }] of [
    ['of-ann', ann],
    ['of-ben', ben],
  ] as const) {
    await tell.publishCastArtifactReady(id, owner, `${FILES}/after`);
  }
  await until(
    'his next',
    () => his.cast('of-ben'),
    ({ told }) => told.length === 7,
  );
  expect(await his.cast('of-ben')).toMatchObject({ isConnected: true, error: null });
  await new Promise((resolve) => setTimeout(resolve, 1000));
  expect(await hers.cast('of-ann')).toMatchObject({ isConnected: false, told: ['running', ...sent('ann', 5)] });

  // Not even on the wire.
  expect(hers.received.join()).not.toMatch(/\/ben-\d|after/);
  expect(his.received.join()).not.toMatch(/\/ann-\d/);
  expect(hers.received.join()).toMatch(/\/ann-4/);
  expect([hers.complaints, his.complaints]).toEqual([[], []]);

  // He signs in at her page.
  await hers.signIn(ben);
  const next = await until(
    'his cast on her page',
    () => hers.cast('of-ben'),
    ({ isConnected }) => isConnected,
  );
  expect(next).toMatchObject({ status: 'running', error: null });
  const hidden = await until(
    'the refusal of hers',
    () => hers.cast('of-ann'),
    ({ code }) => code === 'forbidden',
  );
  expect(hidden).toMatchObject({ isConnected: false, status: null, told: ['running', ...sent('ann', 5)] });
  await Promise.all([hers.close(), his.close(), publisher.close()]);
});
