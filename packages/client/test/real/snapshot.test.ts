// A record and its events as one thing, and casts, against the real server.

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Server } from '@tidings/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Cast, followCast } from '../../src/casts/index.ts';
import type { SnapshotInfo } from '../../src/index.ts';
import { Collector } from '../support/collector.ts';
import { clientOf, closeClients, IN_NODE } from '../support/matrix.ts';
import { publish, publishNumbers } from '../support/publish.ts';

let server: Server;
let key: string;
beforeAll(async () => {
  server = await Server.start('stream.heartbeat = "1s"\n');
  key = (await server.key()).key;
});
afterEach(closeClients);
afterAll(() => server?.stop());

async function castEvent(id: string, type: string, data: object): Promise<void> {
  const response = await fetch(`${server.url}/api/casts/${id}/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ type, data, userId: 'usr_1' }),
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
}

for (const transport of IN_NODE) {
  describe(transport, () => {
    const client = () => clientOf(transport, { url: server.url, auth: key });

    test('a cast is followed from its state to its end', async () => {
      const id = `cast_${transport}_life`;
      await castEvent(id, 'STATUS_CHANGED', { status: 'queued' });
      const told: string[] = [];
      const states: Cast[] = [];
      let finish = () => {};
      const ended = new Promise<void>((resolve) => {
        finish = resolve;
      });
      const following = followCast(client(), id, {
        onCast: (cast) => states.push(cast),
        onStatus: ({ status }, { isInitial }) => told.push(`${isInitial ? 'initial ' : ''}status ${status}`),
        onProgress: ({ progress, message }) => told.push(`progress ${progress} ${message}`),
        onComplete: ({ status, costCents }) => told.push(`complete ${status} ${costCents}`),
        onArtifact: ({ artifactUrl }) => told.push(`artifact ${artifactUrl}`),
        onEnd: () => finish(),
      });
      await following.ready;
      await castEvent(id, 'STARTED', { startedAt: '2026-01-01T00:00:00Z' });
      await castEvent(id, 'PROGRESS_UPDATE', { progress: 50, message: 'half' });
      await castEvent(id, 'ARTIFACT_READY', { artifactUrl: 'https://example.test/a' });
      await castEvent(id, 'COMPLETED', { finishedAt: '2026-01-01T00:01:00Z', duration: 60_000, costCents: 25 });
      await ended;
      expect(told).toEqual([
        'initial status queued',
        'status running',
        'progress 50 half',
        'artifact https://example.test/a',
        'status succeeded',
        'complete succeeded 25',
      ]);
      expect(following.cast).toMatchObject({ status: 'succeeded', progress: 50, costCents: 25, duration: 60_000 });
      expect(states.map(({ version }) => version)).toEqual(
        [...states.map(({ version }) => version)].sort((a, b) => a - b),
      );
      const read = await (
        await fetch(`${server.url}/api/casts/${id}`, { headers: { authorization: `Bearer ${key}` } })
      ).json();
      expect(following.cast).toMatchObject({ version: read.version, status: read.status, startedAt: read.startedAt });

      const again: string[] = [];
      const over = followCast(client(), id, {
        onComplete: (_, { isInitial }) => again.push(`complete ${isInitial}`),
        onEnd: () => again.push('end'),
      });
      await over.ready;
      expect(again).toEqual(['complete true', 'end']);
    });

    test('a cast that may not be read says so', async () => {
      const errors: Error[] = [];
      const following = followCast(client(), 'cast_nobody', { onFailure: (error) => errors.push(error) });
      await expect(following.ready).rejects.toMatchObject({ status: 404 });
      expect(errors).toHaveLength(1);
    });
  });
}

describe('snapshots of other backends', () => {
  /** A backend that keeps a counter in its memory and tells of each change. */
  async function backend(tellsCursor: boolean) {
    let [count, cursor, reads] = [0, '', 0];
    const listener = createServer((_, response) => {
      reads += 1;
      const position = tellsCursor && cursor !== '' ? { 'tidings-cursor': cursor } : {};
      response.writeHead(200, { 'content-type': 'application/json', etag: `"${count}"`, ...position });
      response.end(JSON.stringify({ count }));
    }).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    return {
      url: `http://127.0.0.1:${(listener.address() as AddressInfo).port}`,
      async raise(channel: string): Promise<void> {
        const next = count + 1;
        // Without a position the record changes before anybody is told, as it is where a database comes first.
        if (!tellsCursor) count = next;
        [cursor = ''] = await publish(server, key, { channel, type: 'count', data: next, version: next });
        count = next;
      },
      get reads() {
        return reads;
      },
      stop: () => listener.close(),
    };
  }

  for (const tellsCursor of [true, false]) {
    test(`a record ${tellsCursor ? 'with' : 'without'} a position: nothing is missed or doubled while it changes`, async () => {
      const counter = await backend(tellsCursor);
      const channel = `count:${tellsCursor}`;
      await counter.raise(channel);
      const client = clientOf('sse', { url: server.url, auth: key });
      await client.subscribe(channel, {}).ready;
      for (let round = 0; round < 10; round += 1) {
        const seen = new Collector();
        let [state, first] = [Number.NaN, Number.NaN];
        const follow = client.snapshot<{ count: number }, number>((signal) => fetch(counter.url, { signal }), channel, {
          ...seen,
          onSnapshot: ({ count }) => {
            first = count;
            state = count;
            seen.wake();
          },
          onEvent: (event) => {
            expect(event.data).toBe(state + 1);
            state = event.data;
            seen.onEvent(event);
          },
        });
        await counter.raise(channel);
        await counter.raise(channel);
        await follow.ready;
        await counter.raise(channel);
        const last = 1 + (round + 1) * 3;
        await seen.until(() => state === last || seen.errors.length > 0);
        expect(seen.errors).toEqual([]);
        expect(first).toBeLessThanOrEqual(last);
        follow.close();
      }
      counter.stop();
    });
  }

  test('after a gap it is read again, and says so', async () => {
    const infos: SnapshotInfo[] = [];
    const seen = new Collector();
    const counter = await backend(false);
    let isFirst = true;
    const client = clientOf('sse', { url: server.url, auth: key });
    const follow = client.snapshot(
      async (signal) => {
        const response = await fetch(counter.url, { signal });
        const headers = new Headers(response.headers);
        // A position of a history that this server does not have.
        if (isFirst) headers.set('tidings-cursor', '0000000000009.0000000');
        isFirst = false;
        return new Response(await response.text(), { headers });
      },
      'count:gap',
      { ...seen, onSnapshot: (_, info) => void infos.push(info) },
    );
    await follow.ready;
    await seen.until(() => seen.gaps.length > 0);
    await publishNumbers(server, key, 'count:gap', 1);
    await seen.count(1);
    expect(seen.gaps).toMatchObject([{ reason: 'unknown' }]);
    expect(infos.map(({ isRefetched }) => isRefetched)).toEqual([false, true]);
    counter.stop();
  });
});
