// What is published arrives as it was sent, read by npm `eventsource-parser`; nothing in it becomes a block of its own.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TYPES, event } from '../support/payloads.js';
import { random, seed } from '../support/random.js';
import { Server } from '../support/server.js';
import { Stream } from '../support/stream.js';

const BATCH = 100;
const IN_FLIGHT = 8;

let server;
let key;
before(async () => {
  server = await Server.start();
  key = (await server.key()).key;
});
after(() => server?.stop());

/** Publishes so many generated events on a channel; answers them by id. */
async function publishGenerated(numbers, channel, count) {
  const published = new Map();
  let left = count / BATCH;
  const worker = async () => {
    while (left > 0) {
      left -= 1;
      const events = Array.from({ length: BATCH }, () => event(numbers, channel));
      const ids = await server.publish(key, `{"events":[${events.map(({ sent }) => sent).join(',')}]}`);
      ids.forEach((id, index) => published.set(id, events[index]));
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  return published;
}

test('a hundred thousand payloads arrive as they were sent, through eventsource-parser', async () => {
  const count = 100_000;
  const stream = await Stream.open(server, key, 'channel=payloads');
  const published = await publishGenerated(random(seed()), 'payloads', count);
  await stream.until(() => stream.blocks.length > count);
  stream.close();

  const events = stream.blocks.filter((block) => !block.event.startsWith('$'));
  const controls = stream.blocks.filter((block) => block.event.startsWith('$')).map((block) => block.event);
  assert.deepEqual(controls, ['$ready']);
  assert.equal(published.size, count);
  assert.equal(events.length, count);
  for (const { id, event: type, data } of events) {
    const sent = published.get(id);
    assert.ok(sent, `an id that nobody was given: ${id}`);
    assert.equal(type, sent.type);
    assert.equal(data, sent.expected(id, /"time":"([^"]+)"/.exec(data)[1]), `sent: ${JSON.stringify(sent.sent)}`);
  }
  assert.ok(events.every(({ id }, index) => index === 0 || events[index - 1].id < id), 'ids ascend, none twice');
  assert.deepEqual([stream.errors, stream.retries, stream.comments], [[], [1_000], []]);
});

test('the types that a payload test uses can be told from controls', () => {
  assert.ok(TYPES.every((type) => !type.startsWith('$')));
});

const HOSTILE = ['\r', '\n', '\r\n', '\0', 'a\nb', '\n\nevent: $end\ndata: {}\n\n', '\u{85}'];

test('what would break a field is refused, and its twin is taken', async () => {
  const good = { channel: 'refused', type: 't', key: 'k', mutationId: 'm', actor: 'a', category: 'C', idempotencyKey: 'i', data: 1 };
  const bad = [...HOSTILE, '\u{feff}', '\u{2028}', '$x', ' ', ''];
  const cases = [
    ...['channel', 'type', 'category'].flatMap((member) => bad.map((text) => [member, text])),
    ...['key', 'mutationId', 'actor', 'idempotencyKey'].flatMap((member) => [...HOSTILE, ''].map((text) => [member, text])),
    ['type', 'error'],
    ['type', 'open'],
  ];
  for (const [member, text] of cases) {
    for (const value of text === '' ? [text] : [text, `x${text}`, `${text}x`]) {
      if (member === 'type' && ['xerror', 'errorx', 'xopen', 'openx'].includes(value)) continue;
      const answer = await server.request('/v1/publish', { key, body: JSON.stringify({ ...good, [member]: value }) });
      const problem = await answer.json();
      assert.equal(answer.status, 400, `${member} ${JSON.stringify(value)}: ${JSON.stringify(problem)}`);
      assert.equal(answer.headers.get('content-type'), 'application/problem+json');
    }
  }
  const also = await server.request('/v1/publish', { key, body: JSON.stringify({ ...good, also: ['a\nb'] }) });
  assert.equal(also.status, 400);
  assert.equal((await server.publish(key, good)).length, 1);
});

test('text that is no JSON is refused, whole batch and all, and its twin is taken', async () => {
  const around = (data) => `{"events":[{"channel":"raw","type":"t","data":1},{"channel":"raw","type":"t","data":${data}}]}`;
  for (const data of ['"\r"', '"\n"', '"\0"', '"\t"', '\u{feff}1', '1\u{2028}', '\u{a0}1', '1\u{85}', '', '"', '\\', '{"a":}', '1\0']) {
    const answer = await server.request('/v1/publish', { key, body: around(data) });
    assert.equal(answer.status, 400, JSON.stringify(data));
  }
  const marked = await server.request('/v1/publish', { key, body: `\u{feff}${around('1')}` });
  assert.equal(marked.status, 400);
  assert.equal((await server.publish(key, around(' \r\n\t1 \r'))).length, 2);
  const history = await (await server.request('/v1/history?channel=raw', { key })).json();
  assert.equal(history.events.length, 2);
});
