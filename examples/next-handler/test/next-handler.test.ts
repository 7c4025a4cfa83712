// The handler on Node's HTTP server, against the real server: TIDINGS_BIN names the binary.

import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createPublisher, setDefaultPublisher } from '@tidings/publisher';
import { type Key, Server } from '@tidings/testkit';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import * as route from '../app/api/casts/[id]/route.ts';
import { serve } from '../src/serve.ts';

let server: Server;
let key: Key;
let app: HttpServer;
let url: string;

beforeAll(async () => {
  server = await Server.start();
  key = await server.key(['publish:cast:*', 'subscribe:*']);
  vi.stubEnv('TIDINGS_URL', server.url);
  vi.stubEnv('TIDINGS_API_KEY', key.key);
  app = serve({ GET: route.GET, PATCH: route.PATCH }).listen(0, '127.0.0.1');
  await once(app, 'listening');
  url = `http://127.0.0.1:${(app.address() as AddressInfo).port}/api/casts/cast_1`;
});
afterAll(async () => {
  vi.unstubAllEnvs();
  app?.close();
  await server?.stop();
});

async function patch(status: string) {
  const response = await fetch(url, { method: 'PATCH', body: JSON.stringify({ status }) });
  return { status: response.status, body: await response.json() };
}

test('a change is told, and what Tidings refuses is not stored', async () => {
  expect(await patch('running')).toEqual({ status: 200, body: { id: 'cast_1', userId: 'user_1', status: 'running' } });
  expect(await patch('succeeded')).toMatchObject({ status: 200 });
  const refused = { code: 'illegal_transition', current: { id: 'cast_1', status: 'succeeded' } };
  expect(await patch('running')).toMatchObject({ status: 409, body: refused });
  expect(await (await fetch(url)).json()).toMatchObject({ status: 'succeeded' });
  const events = await server.history(key.key, 'cast:cast_1');
  expect(events.map(({ type, data }) => [type, data.status])).toEqual([
    ['STATUS_CHANGED', 'queued'],
    ['STATUS_CHANGED', 'running'],
    ['COMPLETED', 'succeeded'],
  ]);
});

test('what is wrong with the key of the program is not told as if it were the caller’s', async () => {
  const said = vi.spyOn(console, 'error').mockReturnValue();
  setDefaultPublisher(createPublisher({ url: server.url, apiKey: 'wrong' }));
  expect(await patch('running')).toEqual({ status: 500, body: { code: 'not_told', detail: 'try again' } });
  expect(said.mock.calls).toMatchObject([[{ code: 'unauthenticated', httpStatus: 401 }]]);
  setDefaultPublisher(undefined);
  said.mockRestore();
});

test('other addresses and methods are not answered', async () => {
  expect((await fetch(`${url}/more`)).status).toBe(404);
  expect((await fetch(url, { method: 'DELETE' })).status).toBe(405);
  expect((await fetch(url.replace('cast_1', 'cast_2'))).status).toBe(404);
});
