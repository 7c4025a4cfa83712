// The documents' helpers against the real server, for casts of somebody else's database.

import { type Key, Server } from '@tidings/testkit';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import {
  publishCastArtifactReady,
  publishCastCompleted,
  publishCastEvent,
  publishCastFailed,
  publishCastProgress,
  publishCastStarted,
  publishCastStatusChange,
  publishCastUpdate,
  setDefaultPublisher,
} from '../../src/index.ts';

let server: Server;
let key: Key;

beforeAll(async () => {
  server = await Server.start();
  key = await server.key();
  // As a program's environment has them.
  vi.stubEnv('TIDINGS_URL', server.url);
  vi.stubEnv('TIDINGS_API_KEY', key.key);
});
afterAll(async () => {
  vi.unstubAllEnvs();
  setDefaultPublisher(undefined);
  await server?.stop();
});

const told = async (castId: string) =>
  (await server.history(key.key, `cast:${castId}`)).map(({ type, data }) => ({ type, ...data, timestamp: undefined }));

test('a cast from its beginning to its success', async () => {
  const [id, user] = ['cast_1', 'user_1'];
  const startedAt = new Date('2026-03-01T10:00:00.000Z');
  const finishedAt = new Date('2026-03-01T10:03:00.000Z');
  expect(await publishCastStatusChange(id, user, 'queued')).toMatchObject({
    id,
    userId: user,
    status: 'queued',
    version: 1,
  });
  expect(await publishCastStarted(id, user, startedAt)).toMatchObject({
    status: 'running',
    startedAt: startedAt.toISOString(),
  });
  expect(await publishCastProgress(id, user, 50, 'half of it')).toMatchObject({ progress: 50, message: 'half of it' });
  await publishCastEvent(id, 'log.line', { text: 'hello' }, user);
  expect(await publishCastArtifactReady(id, user, 'https://x.test/a')).toMatchObject({
    artifactUrl: 'https://x.test/a',
  });
  await publishCastUpdate(id);
  const done = await publishCastCompleted(id, user, finishedAt, 180_000, 250, 'https://x.test/b');
  expect(done).toMatchObject({
    status: 'succeeded',
    duration: 180_000,
    costCents: 250,
    artifactUrl: 'https://x.test/b',
  });
  expect(await told(id)).toEqual([
    { type: 'STATUS_CHANGED', castId: id, status: 'queued' },
    { type: 'STARTED', castId: id, status: 'running', startedAt: startedAt.toISOString() },
    { type: 'PROGRESS_UPDATE', castId: id, progress: 50, message: 'half of it' },
    { type: 'log.line', text: 'hello' },
    { type: 'ARTIFACT_READY', castId: id, artifactUrl: 'https://x.test/a' },
    { type: 'STATUS_CHANGED', castId: id, status: 'running', startedAt: startedAt.toISOString() },
    {
      type: 'COMPLETED',
      castId: id,
      status: 'succeeded',
      startedAt: startedAt.toISOString(),
      duration: 180_000,
      costCents: 250,
      finishedAt: finishedAt.toISOString(),
      artifactUrl: 'https://x.test/b',
      terminal: true,
    },
  ]);
});

test('after the end the refusal has the cast as it is', async () => {
  await publishCastFailed('cast_2', 'user_1', 'no luck');
  const late = publishCastStarted('cast_2', 'user_1', new Date());
  const current = { id: 'cast_2', status: 'failed', errorMessage: 'no luck' };
  const refused = { code: 'illegal_transition', httpStatus: 409, current, attempts: 1 };
  await expect(late).rejects.toMatchObject(refused);
  await expect(publishCastUpdate('cast_2')).rejects.toMatchObject(refused);
  await expect(publishCastUpdate('cast_2', { status: 'failed' })).rejects.toMatchObject(refused);
});

test('a record of the caller’s own is told of as it stands', async () => {
  const record = {
    id: 'cast_3',
    userId: 'user_2',
    status: 'running' as const,
    startedAt: new Date('2026-03-01T10:00:00.000Z'),
    finishedAt: null,
    progress: 12.5,
    message: null,
    spellId: 'a column of the caller’s',
  };
  expect(await publishCastUpdate(record.id, record)).toMatchObject({
    userId: 'user_2',
    status: 'running',
    progress: 12.5,
  });
  expect((await told('cast_3')).map(({ type }) => type)).toEqual([
    'STATUS_CHANGED',
    'STATUS_CHANGED',
    'PROGRESS_UPDATE',
  ]);
});

test('the first mention needs an owner', async () => {
  await expect(publishCastUpdate('cast_4')).rejects.toMatchObject({
    code: 'invalid_body',
    at: '/userId',
    httpStatus: 400,
  });
});
