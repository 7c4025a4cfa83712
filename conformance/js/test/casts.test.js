// Casts in Chromium: its own EventSource with the session's cookie, from the first frame to the end, for good.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Browser } from '../support/browser.js';
import { Helper, Watcher, signIn, user } from '../support/casts.js';
import { Server } from '../support/server.js';
import { Sites } from '../support/sites.js';

const names = (events) => events.map(({ type }) => type);
const progress = (frames) => frames.filter(({ type }) => type === 'progress').map(({ data }) => data.progress);

describe('a page of the server itself, signed in', () => {
  let browser, server, helper, ann, page;
  before(async () => {
    browser = await Browser.start();
    server = await Server.start(`cors.origins = ["${browser.origin}"]\nstream.heartbeat = "1s"\n`);
    helper = await Helper.make(server);
    ann = await user(server, 'ann@example.test');
    page = await browser.newPage(`${server.url}/healthz`);
    assert.equal(await signIn(page, server.url, ann), 200);
  });
  after(async () => {
    await browser?.stop();
    await server?.stop();
  });

  test('sees a life as it goes', async () => {
    await helper.mention('live', ann);
    const watcher = await Watcher.open(page, '/api/casts/live/events');
    await watcher.until('seen.events.some(({type}) => type === "status")');
    await helper.tell('live', 'STARTED');
    await watcher.until('seen.events.at(-1).data.status === "running"');
    await helper.tell('live', 'PROGRESS_UPDATE', { progress: 50, message: 'Processing...' });
    await watcher.until('seen.events.at(-1).data.progress === 50');
    await helper.tell('live', 'ARTIFACT_READY', { artifactUrl: 'https://files.example.test/a' });
    await watcher.until('seen.events.at(-1).type === "artifact"');
    await helper.tell('live', 'COMPLETED', { duration: 180_000, costCents: 250 });
    await watcher.closed();
    const { events, opens } = await watcher.seen();
    assert.deepEqual(names(events), ['$ready', 'status', 'status', 'progress', 'artifact', 'status', 'complete', '$end']);
    assert.equal(opens, 1);
  });

  test('is refused what is not its own, and stops', async () => {
    const ben = await user(server, 'ben@example.test');
    await helper.mention('bens', ben);
    const watcher = await Watcher.open(page, '/api/casts/bens/events');
    await watcher.closed();
    assert.deepEqual((await watcher.seen()).events, []);
    assert.equal(watcher.requests.length, 1);
  });

  for (const [name, end] of [
    ['restart', () => server.restart()],
    ['crash', () => server.crash()],
  ]) {
    test(`comes back by itself after a ${name} and loses nothing`, async () => {
      const id = `through-${name}`;
      await helper.mention(id, ann);
      await helper.tell(id, 'STARTED');
      const watcher = await Watcher.open(page, `/api/casts/${id}/events`);
      await watcher.until('seen.events.length === 2');
      for (const n of [1, 2]) await helper.tell(id, 'PROGRESS_UPDATE', { progress: n });
      await watcher.until('seen.events.at(-1).data.progress === 2');
      await end();
      // Some of it before the browser is back, some after.
      for (const n of [3, 4, 5]) await helper.tell(id, 'ARTIFACT_READY', { artifactUrl: `https://files.example.test/${n}` });
      await watcher.until('seen.opens === 2');
      await helper.tell(id, 'FAILED', { errorMessage: 'at last' });
      await watcher.closed();
      const { events, opens } = await watcher.seen();
      const frames = events.filter(({ type }) => !type.startsWith('$'));
      assert.deepEqual(names(frames), ['status', 'progress', 'progress', 'artifact', 'artifact', 'artifact', 'status', 'failed']);
      const readies = events.filter(({ type }) => type === '$ready');
      assert.deepEqual(readies.map(({ data }) => data.resumed), [false, true]);
      assert.equal(opens, 2);
      const sent = await Promise.all(watcher.requests.map((request) => request.headerValue('last-event-id')));
      assert.equal(sent[0], null);
      assert.equal(sent.at(-2), frames[2].id, 'it came back with the last id that it had');
    });
  }

  const ends = [
    ['succeeded', (id) => helper.tell(id, 'COMPLETED', { duration: 1, costCents: 2 }), ['status', 'complete']],
    ['failed', (id) => helper.tell(id, 'FAILED', { errorMessage: 'no' }), ['status', 'failed']],
    ['cancelled', (id) => helper.tell(id, 'STATUS_CHANGED', { status: 'cancelled' }), ['status']],
  ];
  test('stops for good at every end, whatever it has chosen', async () => {
    const choices = [
      ['', () => true],
      ['?type=status', (type) => type === 'status'],
      ['?type=progress', (type) => type === 'progress'],
    ];
    const watched = [];
    for (const [ended, end, last] of ends) {
      // Three at a time: a browser opens six connections to a server.
      const watchers = choices.map(async ([query, chosen]) => {
        const id = `${ended}${query.slice(6)}`;
        await helper.mention(id, ann);
        const watcher = await Watcher.open(page, `/api/casts/${id}/events${query}`);
        await watcher.until('seen.events.length > 0');
        await helper.tell(id, 'PROGRESS_UPDATE', { progress: 9 });
        await end(id);
        await watcher.closed();
        return { watcher, id, wanted: ['status', 'progress', ...last].filter(chosen) };
      });
      watched.push(...(await Promise.all(watchers)));
    }
    // Long enough for a browser that would come back.
    await sleep(2_500);
    for (const { watcher, id, wanted } of watched) {
      const { events, opens } = await watcher.seen();
      assert.deepEqual(names(events), ['$ready', ...wanted, '$end'], id);
      assert.equal(opens, 1, id);
      const statuses = await Promise.all(watcher.requests.map(async (request) => (await request.response())?.status()));
      assert.deepEqual(statuses, [200, 204], `${id}: once, and once more to be told that there is no more`);
    }
    const rows = (await server.command('audit', '--limit', '1000', '--action', 'cast.sse_connection_opened')).rows;
    for (const { id } of watched) assert.equal(rows.filter(({ resourceId }) => resourceId === id).length, 1, id);
  });

  test('watches all of its own on one connection', async () => {
    const watcher = await Watcher.open(page, '/api/casts/events');
    await watcher.until('seen.events.length === 1');
    for (const id of ['one', 'two']) {
      await helper.mention(id, ann);
      await helper.tell(id, 'COMPLETED', { duration: 1, costCents: 2 });
    }
    await watcher.until('seen.events.length === 7');
    const frames = await watcher.frames();
    assert.deepEqual(frames.map(({ data }) => data.castId), ['one', 'one', 'one', 'two', 'two', 'two']);
    assert.equal(await page.evaluate(() => document.cookie), '', 'no script reads the cookie');
    await watcher.close();
  });

  test('with a ticket a page elsewhere goes on through a restart by a few lines of its own', async () => {
    await helper.mention('ticketed', ann);
    await helper.tell('ticketed', 'STARTED');
    const { key } = await server.command('key', 'create', '--name', 'backend', '--user', ann.email);
    // The application's backend, which has the credential.
    await browser.page.exposeFunction('ticket', () => server.ticket(key, ['cast:ticketed'], browser.origin).catch(() => null));
    await browser.page.evaluate((url) => {
      const seen = (window.ticketed = { frames: [], ended: null, opens: 0 });
      let last = '';
      const open = async () => {
        const ticket = await window.ticket();
        if (!ticket) return setTimeout(open, 100);
        const source = new EventSource(`${url}?ticket=${ticket}${last && `&since=${last}`}`);
        seen.opens += 1;
        const again = (after) => {
          source.close();
          setTimeout(open, after);
        };
        source.onerror = () => again(100);
        source.addEventListener('$end', ({ data }) => {
          const { retry, after } = JSON.parse(data);
          source.close();
          if (retry === 'never') seen.ended = data;
          else again(after ?? 0);
        });
        for (const type of ['status', 'progress', 'artifact', 'complete']) {
          source.addEventListener(type, (event) => {
            last = event.lastEventId || last;
            seen.frames.push([event.type, event.data]);
          });
        }
      };
      open();
    }, `${server.url}/api/casts/ticketed/events`);
    const until = (expression) => browser.page.waitForFunction(expression, undefined, { polling: 20, timeout: 20_000 });
    await until('ticketed.frames.length === 1');
    await helper.tell('ticketed', 'ARTIFACT_READY', { artifactUrl: 'https://files.example.test/1' });
    await until('ticketed.frames.length === 2');
    await server.restart();
    await helper.tell('ticketed', 'ARTIFACT_READY', { artifactUrl: 'https://files.example.test/2' });
    await helper.tell('ticketed', 'COMPLETED', { duration: 1, costCents: 2 });
    await until('ticketed.ended');
    const { frames, opens } = await browser.page.evaluate(() => window.ticketed);
    assert.deepEqual(frames.map(([type]) => type), ['status', 'artifact', 'artifact', 'status', 'complete']);
    assert.ok(opens >= 2);
  });
});

test('a stream that has reached its lifetime goes on as if nothing were', async () => {
  const browser = await Browser.start();
  const server = await Server.start('stream.casts_lifetime = "2s"\n');
  try {
    const helper = await Helper.make(server);
    const ann = await user(server, 'ann@example.test');
    const page = await browser.newPage(`${server.url}/healthz`);
    assert.equal(await signIn(page, server.url, ann), 200);
    await helper.mention('long', ann);
    await helper.tell('long', 'STARTED');
    const watcher = await Watcher.open(page, '/api/casts/long/events');
    await watcher.until('seen.opens === 1');
    for (let n = 1; n <= 50; n += 1) {
      await helper.tell('long', 'PROGRESS_UPDATE', { progress: n });
      await sleep(100);
    }
    await helper.tell('long', 'COMPLETED', { duration: 1, costCents: 2 });
    await watcher.closed();
    const { events } = await watcher.seen();
    const seen = progress(events);
    // Progress has a conflation key: of what waited, earlier values may be left out, and then it is said.
    const skipped = events.filter(({ type }) => type === '$lagged').reduce((sum, { data }) => sum + data.skipped, 0);
    assert.equal(seen.length + skipped, 50);
    assert.deepEqual(seen, [...new Set(seen)].sort((a, b) => a - b));
    const reasons = events.filter(({ type }) => type === '$end').map(({ data }) => data.reason);
    assert.ok(reasons.length >= 3, `${reasons}`);
    assert.deepEqual([...new Set(reasons)], ['lifetime', 'terminal_state']);
    const resumed = events.filter(({ type }) => type === '$ready').map(({ data }) => data.resumed);
    assert.deepEqual(resumed, [false, ...resumed.slice(1).map(() => true)]);
    console.log(`lifetimes: ${reasons.length}, progress seen: ${seen.length} of 50`);
  } finally {
    await browser.stop();
    await server.stop();
  }
});

describe('a cookie across sites', () => {
  let sites;
  before(async () => {
    sites = await Sites.start();
  });
  after(async () => {
    await sites?.stop();
  });

  const LISTED = 'app.example.test';
  const UNLISTED = 'evil.example.test';
  const SAME_SITE = 'app.other.test';

  /** A server at `live.other.test`, and the pages of a browser that has never been there. */
  async function world(sameSite) {
    const listed = [LISTED, SAME_SITE].map((name) => sites.origin(name));
    const server = await Server.start(
      `auth.cookie_same_site = "${sameSite}"\ncors.origins = ${JSON.stringify(listed)}\n` +
        `tls.cert = ${JSON.stringify(sites.cert)}\ntls.key = ${JSON.stringify(sites.key)}\n`,
    );
    const helper = await Helper.make(server, sites.requestTo(server.port));
    const ann = await user(server, 'ann@example.test');
    await helper.mention('x', ann);
    const visitor = await sites.visitor();
    const at = async (name) => {
      const page = await visitor.newPage();
      await page.goto(sites.origin(name));
      return page;
    };
    const live = `https://live.other.test:${server.port}`;
    const watch = (page) => Watcher.open(page, `${live}/api/casts/x/events`, { withCredentials: true });
    const stop = () => Promise.all([visitor.close(), server.stop()]);
    return { server, helper, ann, at, live, watch, stop };
  }

  test('with none: listed pages of another site sign in and watch, others do not', async () => {
    const { server, helper, ann, at, live, watch, stop } = await world('none');
    try {
      const app = await at(LISTED);
      assert.equal(await signIn(app, live, ann), 200);
      const watcher = await watch(app);
      await watcher.until('seen.events.at(-1)?.data.status === "queued"');
      await helper.tell('x', 'STARTED');
      await watcher.until('seen.events.at(-1).data.status === "running"');
      // The browser would add the cookie for these as well.
      const evil = await at(UNLISTED);
      assert.equal(await signIn(evil, live, ann), 'TypeError', 'the page is told nothing');
      const refused = await watch(evil);
      await refused.closed();
      const { events, opens } = await refused.seen();
      assert.deepEqual([events, opens], [[], 0]);
      // The server has seen the cookie, and refused the page.
      const failed = await server.command('audit', '--action', 'cast.sse_connection_failed');
      assert.deepEqual(failed.rows.map(({ metadata }) => metadata.code), ['wrong_origin']);
      // The first one is still there.
      await helper.tell('x', 'PROGRESS_UPDATE', { progress: 5 });
      await watcher.until('seen.events.at(-1).data.progress === 5');
    } finally {
      await stop();
    }
  });

  test('with lax: pages of another site stay outside, pages of the same site come in', async () => {
    const { helper, ann, at, live, watch, stop } = await world('lax');
    try {
      const app = await at(LISTED);
      assert.equal(await signIn(app, live, ann), 200);
      const outside = await watch(app);
      await outside.closed();
      assert.deepEqual((await outside.seen()).events, [], 'the browser keeps no cookie for it');
      const near = await at(SAME_SITE);
      assert.equal(await signIn(near, live, ann), 200);
      const watcher = await watch(near);
      await watcher.until('seen.events.at(-1)?.data.status === "queued"');
      await helper.tell('x', 'STARTED');
      await watcher.until('seen.events.at(-1).data.status === "running"');
      // With the cookie there, the other site's page still goes without it.
      const again = await watch(app);
      await again.closed();
      assert.deepEqual((await again.seen()).events, []);
    } finally {
      await stop();
    }
  });
});
