// The program as a process of its own, against the real server: TIDINGS_BIN names the binary.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Key, Server, surroundings } from '@tidings/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';

const folder = new URL('../', import.meta.url).pathname;

let server: Server;
let key: Key;
let directory: string;
let program: ChildProcess;
let url: string;
let said: string;

async function start(): Promise<void> {
  const env = {
    ...surroundings(),
    TIDINGS_URL: server.url,
    TIDINGS_API_KEY: key.key,
    PORT: '0',
    CASTS_FILE: join(directory, 'casts.json'),
  };
  const args = ['--import', 'tsx', 'src/main.ts'];
  const child = spawn(process.execPath, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'inherit'] });
  program = child;
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  said = line;
  url = line.split(' ')[0] ?? '';
}

async function stop(): Promise<void> {
  program.kill();
  await once(program, 'exit');
}

beforeAll(async () => {
  server = await Server.start();
  key = await server.key(['publish:cast:*', 'subscribe:*']);
  directory = await mkdtemp(join(tmpdir(), 'tidings-express-'));
  await start();
});
afterAll(async () => {
  if (program) await stop();
  await server?.stop();
  if (directory) await rm(directory, { recursive: true, force: true });
});

interface Shown {
  readonly id: string;
  readonly status: string;
  readonly isTold: boolean;
}

async function post(path: string, body: object = {}): Promise<{ status: number; cast: Shown }> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: response.status, cast: (await response.json()) as Shown };
}

const told = async (id: string) => (await server.history(key.key, `cast:${id}`)).map(({ type }) => type);

test('what happens to a cast is told', async () => {
  const { cast, status } = await post('/casts', { userId: 'user_1', spell: 'hello' });
  expect([status, cast.status, cast.isTold]).toEqual([201, 'queued', true]);
  await post(`/casts/${cast.id}/start`);
  await post(`/casts/${cast.id}/progress`, { progress: 50, message: 'half of it' });
  await post(`/casts/${cast.id}/complete`, { costCents: 250, artifactUrl: 'https://x.test/a' });
  expect(await told(cast.id)).toEqual(['STATUS_CHANGED', 'STARTED', 'PROGRESS_UPDATE', 'COMPLETED']);
  const events = await server.history(key.key, `cast:${cast.id}`);
  expect(events.at(-1)?.data).toMatchObject({ status: 'succeeded', costCents: 250, artifactUrl: 'https://x.test/a' });
  expect(await post(`/casts/${cast.id}/fail`, { errorMessage: 'late' })).toMatchObject({ status: 409 });
});

test('failure is told with its reason', async () => {
  const { cast } = await post('/casts', { userId: 'user_1', spell: 'hello' });
  await post(`/casts/${cast.id}/fail`, { errorMessage: 'no luck' });
  const events = await server.history(key.key, `cast:${cast.id}`);
  expect(events.at(-1)).toMatchObject({ type: 'FAILED', data: { status: 'failed', errorMessage: 'no luck' } });
});

test('a change that a crash left untold is told at the next start, and one that was told is not told twice', async () => {
  const { cast: untold } = await post('/casts', { userId: 'user_1', spell: 'untold' });
  const { cast: unmarked } = await post('/casts', { userId: 'user_1', spell: 'unmarked' });
  await post(`/casts/${unmarked.id}/fail`, { errorMessage: 'no luck' });
  await stop();
  // As the crash leaves it: one change is stored and not told, the other is told and not marked.
  const file = join(directory, 'casts.json');
  const casts = JSON.parse(await readFile(file, 'utf8')) as Shown[];
  const left = casts.map((cast) => {
    if (cast.id === untold.id) return { ...cast, status: 'failed', errorMessage: 'crashed', isTold: false };
    return cast.id === unmarked.id ? { ...cast, isTold: false } : cast;
  });
  await writeFile(file, JSON.stringify(left));
  await start();
  expect(said).toContain('2 casts were told of');
  expect((await server.history(key.key, `cast:${untold.id}`)).at(-1)).toMatchObject({
    type: 'FAILED',
    data: { errorMessage: 'crashed' },
  });
  expect(await told(unmarked.id)).toEqual(['STATUS_CHANGED', 'FAILED']);
});
