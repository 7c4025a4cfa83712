// Chromium's own EventSource: what it reads, and how it comes back.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Browser } from '../support/browser.js';
import { TYPES, event } from '../support/payloads.js';
import { random, seed } from '../support/random.js';
import { Server } from '../support/server.js';

let browser;
let server;
let key;
before(async () => {
  browser = await Browser.start();
  server = await Server.start(`cors.origins = ["${browser.origin}"]\nstream.heartbeat = "1s"\n`);
  key = (await server.key()).key;
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});

/** Opens an EventSource in the page as `window[name]`, which collects what comes. */
async function open(name, url) {
  await browser.page.evaluate(
    ([name, url, types]) => {
      const source = new EventSource(url);
      const seen = { source, events: [], opens: 0, errors: 0 };
      window[name] = seen;
      source.onopen = () => (seen.opens += 1);
      source.onerror = () => (seen.errors += 1);
      for (const type of types) {
        source.addEventListener(type, (event) => seen.events.push([event.type, event.lastEventId, event.data]));
      }
    },
    [name, url, [...new Set([...TYPES, 'message', 'forged', '$ready', '$reset', '$end', '$ping', '$joined', '$lagged', '$subscribed'])]],
  );
}

/** Waits until an expression about `window[name]` holds in the page. */
async function until(name, expression, argument) {
  const body = `(argument) => { const seen = window[${JSON.stringify(name)}]; return ${expression}; }`;
  await browser.page.waitForFunction(`(${body})(${JSON.stringify(argument ?? null)})`, undefined, { polling: 20, timeout: 30_000 });
}

const collected = (name) => browser.page.evaluate((name) => window[name].events, name);
const close = (name) => browser.page.evaluate((name) => window[name].source.close(), name);
const controls = (events) => events.filter(([type]) => type.startsWith('$')).map(([type]) => type);
const ids = (events) => events.filter(([type]) => !type.startsWith('$')).map(([, id]) => id);

async function ticketed(channel, more = '') {
  const ticket = await server.ticket(key, [channel], browser.origin);
  return `${server.url}/v1/events?channel=${channel}&ticket=${ticket}${more}`;
}

test('a hundred thousand payloads arrive as they were sent, through EventSource', async () => {
  const [count, batch] = [100_000, 100];
  const numbers = random(seed());
  await open('payloads', await ticketed('payloads'));
  await until('payloads', 'seen.events.length === 1');
  const published = new Map();
  for (let sent = 0; sent < count; sent += batch) {
    const events = Array.from({ length: batch }, () => event(numbers, 'payloads'));
    const given = await server.publish(key, `{"events":[${events.map(({ sent }) => sent).join(',')}]}`);
    given.forEach((id, index) => published.set(id, events[index]));
  }
  await until('payloads', 'seen.events.length > argument', count);
  const [ready, ...events] = await collected('payloads');
  await close('payloads');
  assert.equal(ready[0], '$ready');
  assert.equal(events.length, count);
  assert.deepEqual(ids(events), [...published.keys()].sort());
  for (const [type, id, data] of events) {
    const sent = published.get(id);
    assert.equal(type, sent.type);
    assert.equal(data, sent.expected(id, /"time":"([^"]+)"/.exec(data)[1]), `sent: ${JSON.stringify(sent.sent)}`);
  }
});

/** Publishes so many small events, one at a time; answers their ids. */
async function publish(channel, count) {
  const given = [];
  for (let n = 0; n < count; n += 1) given.push(...(await server.publish(key, { channel, type: 't', data: n })));
  return given;
}

test('a ticketed EventSource cannot come back by itself: the page opens anew with a fresh ticket and loses nothing', async () => {
  await open('first', await ticketed('anew'));
  await until('first', 'seen.events.length === 1');
  const given = await publish('anew', 5);
  await until('first', 'seen.events.length === 6');
  await server.restart();
  given.push(...(await publish('anew', 5)));
  // Its URL is spent: the answer is 401, and the browser gives up.
  await until('first', 'seen.source.readyState === EventSource.CLOSED');
  const before = await collected('first');
  assert.deepEqual(controls(before), ['$ready', '$end']);
  const last = before.at(-1)[1];
  assert.equal(last, given[4], '$end carries the position');

  await open('second', await ticketed('anew', `&since=${last}`));
  await until('second', 'seen.events.length === 6');
  given.push(...(await publish('anew', 5)));
  await until('second', 'seen.events.length === 11');
  const since = await collected('second');
  await close('second');
  assert.deepEqual(controls(since), ['$ready'], 'resumed, not reset');
  assert.deepEqual([...ids(before), ...ids(since)], given);
});

for (const [name, end] of [
  ['a restart', () => server.restart()],
  ['a crash', () => server.crash()],
]) {
  test(`EventSource resumes by itself with Last-Event-ID after ${name}`, async () => {
    const channel = `self-${name.split(' ')[1]}`;
    browser.forwardTo(server.port, key);
    await open(channel, `${browser.origin}/forward/v1/events?channel=${channel}`);
    await until(channel, 'seen.events.length === 1');
    const given = await publish(channel, 5);
    await until(channel, 'seen.events.length === 6');
    // A filtered-out event moves the position; the id-only block that says so fires no event, and the browser keeps it.
    const [moved] = await publish('elsewhere', 1);
    const stream = browser.forwarded.at(-1);
    while (!stream.text.includes(`\n\nid: ${moved}\n\n`)) await sleep(20);
    const before = browser.forwarded.length;
    await end();
    given.push(...(await publish(channel, 5)));
    await until(channel, 'seen.events.filter(([type]) => !type.startsWith("$")).length === 10');
    const events = await collected(channel);
    await close(channel);
    assert.deepEqual(ids(events), given);
    assert.ok(!controls(events).includes('$reset'));
    assert.ok(await browser.page.evaluate((name) => window[name].opens >= 2, channel), 'it was cut and came back');
    const cameBack = browser.forwarded.slice(before).map(({ lastEventId }) => lastEventId);
    assert.ok(cameBack.length > 0 && cameBack.every((id) => id === moved), `${cameBack}: it is where the stream was`);
  });
}

test('a ticket is for its origin, and a page that is not listed may not read', async () => {
  const elsewhere = await server.ticket(key, ['x'], 'https://elsewhere.example');
  await open('wrong', `${server.url}/v1/events?channel=x&ticket=${elsewhere}`);
  await until('wrong', 'seen.source.readyState === EventSource.CLOSED && seen.errors === 1');
  assert.deepEqual(await collected('wrong'), []);
  await open('right', await ticketed('x'));
  await until('right', 'seen.events.length === 1');
  await close('right');

  // The same server under a name whose pages are not listed.
  const page = await browser.newPage(browser.strangeOrigin);
  const ticket = await server.ticket(key, ['x']);
  const outcome = await page.evaluate(
    (url) =>
      new Promise((done) => {
        const source = new EventSource(url);
        source.onerror = () => done('refused');
        source.onopen = () => done('open');
      }),
    `${server.url}/v1/events?channel=x&ticket=${ticket}`,
  );
  assert.equal(outcome, 'refused');
  await page.close();
});
