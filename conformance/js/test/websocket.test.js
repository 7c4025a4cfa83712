// npm `ws` and Chromium's WebSocket against the native WebSocket.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { Browser } from '../support/browser.js';
import { Server } from '../support/server.js';

const MESSAGE_BYTES = 1024 * 1024;

let browser;
let server;
let key;
before(async () => {
  browser = await Browser.start();
  server = await Server.start(
    `cors.origins = ["${browser.origin}"]\nstream.heartbeat = "200ms"\nstream.pong_timeout = "1s"\n`,
  );
  key = (await server.key()).key;
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});

/** A socket that collects its frames. */
class Socket {
  frames = [];
  pings = 0;
  pongs = [];

  constructor(query, credential = key, options = {}) {
    const headers = credential ? { authorization: `Bearer ${credential}` } : {};
    this.ws = new WebSocket(`${server.url.replace('http', 'ws')}/v1/ws?${query}`, { headers, ...options });
    this.closed = once(this.ws, 'close').then(([code, reason]) => ({ code, reason: reason.toString() }));
    this.ws.on('message', (data, binary) => this.frames.push(binary ? data : JSON.parse(data.toString())));
    this.ws.on('ping', () => (this.pings += 1));
    this.ws.on('pong', (data) => this.pongs.push(data.toString()));
    this.ws.on('error', (error) => (this.error = error));
  }

  async until(when, within = 10_000) {
    for (let waited = 0; waited < within; waited += 10) {
      if (when(this)) return this;
      await new Promise((done) => setTimeout(done, 10));
    }
    throw new Error(`still waiting; frames: ${JSON.stringify(this.frames).slice(0, 2_000)}`);
  }

  /** Sends a request; answers the frame with its `ref`. */
  async ask(op) {
    this.ws.send(JSON.stringify(op));
    await this.until(({ frames }) => frames.some((frame) => frame.ref === op.ref));
    return this.frames.find((frame) => frame.ref === op.ref);
  }

  get events() {
    return this.frames.filter((frame) => frame.event && !frame.event.startsWith('$'));
  }

  get end() {
    return this.frames.find((frame) => frame.event === '$end')?.data;
  }
}

const ready = async (query, ...rest) => new Socket(query, ...rest).until(({ frames }) => frames.length > 0);

test('no compression is agreed to, events come with their ids, requests are answered by ref', async () => {
  const socket = await ready('channel=plain');
  assert.equal(socket.ws.extensions, '');
  assert.equal(socket.frames[0].event, '$ready');
  const publish = { op: 'publish', ref: 'p', events: [{ channel: 'plain', type: 't', data: { text: '\u{1f600}\0\r\n' } }] };
  const [receipt] = (await socket.ask(publish)).ok.events;
  await socket.until(({ events }) => events.length === 1);
  assert.equal(socket.events[0].id, receipt.id);
  assert.equal(socket.events[0].data.data.text, '\u{1f600}\0\r\n');
  const added = await socket.ask({ op: 'subscribe', ref: 7, add: [{ channel: 'other' }], remove: [] });
  assert.deepEqual(added.ok, { added: ['other'], refused: [] });
  const renewed = await socket.ask({ op: 'auth', ref: 'a', token: key });
  assert.deepEqual(renewed.ok, {});
  const unknown = await socket.ask({ op: 'dance', ref: 'u' });
  assert.equal(unknown.error.code, 'invalid_body');
  socket.ws.close(1000, 'done');
  assert.equal((await socket.closed).code, 1000);
});

test('fragmented messages are put together, with pings between the fragments', async () => {
  const socket = await ready('channel=parts');
  const text = JSON.stringify({ op: 'publish', ref: 'f', events: [{ channel: 'parts', type: 't', data: 'ü'.repeat(20_000) }] });
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += 997) {
    socket.ws.send(bytes.subarray(at, at + 997), { binary: false, fin: at + 997 >= bytes.length });
    if (at % 9_970 === 0) socket.ws.ping(`p${at}`);
  }
  await socket.until(({ events, frames }) => events.length === 1 && frames.some((frame) => frame.ref === 'f'));
  assert.equal(socket.events[0].data.data, 'ü'.repeat(20_000));
  await socket.until(({ pongs }) => pongs.length === Math.ceil(bytes.length / 9_970));
  assert.deepEqual(socket.pongs.slice(0, 2), ['p0', 'p9970']);
  socket.ws.close();
  await socket.closed;
});

test('a client that answers pings lives, one that does not is closed with 1008', async () => {
  const [alive, deaf] = await Promise.all([ready('channel=a'), ready('channel=a', key, { autoPong: false })]);
  assert.equal((await deaf.closed).code, 1008);
  assert.equal(alive.ws.readyState, WebSocket.OPEN);
  assert.ok(alive.pings >= 4, `${alive.pings} pings`);
  alive.ws.close();
  await alive.closed;
});

test('a message past the limit closes with 1009, one at the limit is read', async () => {
  const big = await ready('channel=big');
  big.ws.send('x'.repeat(MESSAGE_BYTES + 1));
  assert.equal((await big.closed).code, 1009);

  const parts = await ready('channel=big');
  for (let sent = 0; sent <= MESSAGE_BYTES; sent += 65_536) parts.ws.send('x'.repeat(65_536), { fin: false });
  assert.equal((await parts.closed).code, 1009);

  const twin = await ready('channel=big');
  const request = '{"op":"ping","ref":"twin"}';
  twin.ws.send(request + ' '.repeat(MESSAGE_BYTES - request.length));
  await twin.until(({ frames }) => frames.some((frame) => frame.ref === 'twin'));
  twin.ws.close();
  await twin.closed;
});

test('binary is 1003, text that is no UTF-8 is 1007', async () => {
  const binary = await ready('channel=b');
  binary.ws.send(Buffer.from([1, 2, 3]));
  assert.equal((await binary.closed).code, 1003);
  const broken = await ready('channel=b');
  broken.ws.send(Buffer.from([0x22, 0xc3, 0x28, 0x22]), { binary: false });
  assert.equal((await broken.closed).code, 1007);
});

test('each end has its reason and its code', async () => {
  const made = await server.key();
  const revoked = await ready('channel=ends', made.key);
  await server.revoke(made.id);
  assert.equal((await revoked.closed).code, 4002);
  assert.deepEqual(revoked.end, { reason: 'revoked', retry: 'auth' });

  for (const [query, credential, code] of [
    ['channel=x', 'nonsense', 4401],
    ['channel=x', undefined, 4401],
    ['channel=x&ticket=tdt_spent', undefined, 4401],
    ['channel=x', (await server.key(['subscribe:other'])).key, 4403],
  ]) {
    const refused = new Socket(query, credential ?? null);
    assert.equal((await refused.closed).code, code, query);
    assert.deepEqual(refused.frames.map((frame) => frame.event), ['$end']);
    assert.equal(refused.frames[0].id, undefined);
  }

  const leaving = await ready('channel=ends');
  const [{ code }] = await Promise.all([leaving.closed, server.restart()]);
  assert.equal(code, 4001);
  assert.equal(leaving.end.reason, 'server_shutdown');
  assert.ok(leaving.end.after >= 0);
});

test('a page opens a WebSocket with a ticket, and its origin must be listed', async () => {
  const connect = (page, url) =>
    page.evaluate(
      (url) =>
        new Promise((done) => {
          const socket = new WebSocket(url);
          const frames = [];
          socket.onmessage = ({ data }) => {
            frames.push(JSON.parse(data));
            if (frames.length === 1) socket.send('{"op":"publish","ref":1,"events":[{"channel":"page","type":"forged","data":0}]}');
            if (frames.some(({ event }) => event === 't') && frames.some(({ ref }) => ref === 1)) socket.close(4321);
          };
          socket.onclose = ({ code, wasClean }) => done({ code, wasClean, frames, extensions: socket.extensions });
        }),
      url,
    );
  const url = async () => `${server.url.replace('http', 'ws')}/v1/ws?channel=page&ticket=${await server.ticket(key, ['page'])}`;
  const connected = connect(browser.page, await url());
  // Published again and again, since nobody tells from when on the page listens.
  const publishing = setInterval(() => server.publish(key, { channel: 'page', type: 't', data: '\u{2028}' }), 50);
  const seen = await connected.finally(() => clearInterval(publishing));
  const event = seen.frames.find((frame) => frame.event === 't');
  assert.equal(event.data.data, '\u{2028}');
  assert.equal(event.id, event.data.id);
  assert.ok(seen.wasClean);
  const refused = seen.frames.find((frame) => frame.ref === 1);
  assert.equal(refused.error.code, 'forbidden_channel', 'a ticket is for reading');
  assert.ok(!seen.frames.some((frame) => frame.event === 'forged'));

  const page = await browser.newPage(browser.strangeOrigin);
  const stranger = await connect(page, await url());
  assert.equal(stranger.code, 4403);
  assert.deepEqual(stranger.frames.map((frame) => frame.event), ['$end']);
  await page.close();
});
