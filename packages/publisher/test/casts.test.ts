import { afterEach, describe, expect, expectTypeOf, test } from 'vitest';
import {
  type Cast,
  type CastHelpers,
  type CastState,
  type CastStatus,
  type CastTelling,
  createCastHelpers,
  defaultPublisher,
  publishCastArtifactReady,
  publishCastCompleted,
  publishCastEvent,
  publishCastFailed,
  publishCastProgress,
  publishCastStarted,
  publishCastStatusChange,
  publishCastUpdate,
  setDefaultPublisher,
} from '../src/index.ts';
import { publisherTo } from './support.ts';

afterEach(() => setDefaultPublisher(undefined));

const at = new Date('2026-03-01T10:00:00.000Z');

/** What was sent by a call of the default publisher. */
async function told(call: () => Promise<Cast>) {
  const { publisher, asked } = publisherTo(() => undefined);
  setDefaultPublisher(publisher);
  await call();
  const { idempotencyKey, ...body } = asked[0]?.body ?? {};
  expect(idempotencyKey).toMatch(/^[0-9a-f-]{36}$/);
  return { path: asked[0]?.path, ...body };
}

describe('each helper posts what it says', () => {
  const path = '/api/casts/cast_1/events';
  test.each([
    [
      'a status',
      () => publishCastStatusChange('cast_1', 'u', 'queued'),
      { type: 'STATUS_CHANGED', userId: 'u', data: { status: 'queued' } },
    ],
    [
      'a start',
      () => publishCastStarted('cast_1', 'u', at),
      { type: 'STARTED', userId: 'u', data: { startedAt: at.toISOString() } },
    ],
    [
      'success',
      () => publishCastCompleted('cast_1', 'u', at, 180_000, 250, 'https://x.test/a'),
      {
        type: 'COMPLETED',
        userId: 'u',
        data: { finishedAt: at.toISOString(), duration: 180_000, costCents: 250, artifactUrl: 'https://x.test/a' },
      },
    ],
    [
      'success without an artifact',
      () => publishCastCompleted('cast_1', 'u', '2026-03-01T10:00:00Z', null, null),
      { type: 'COMPLETED', userId: 'u', data: { finishedAt: '2026-03-01T10:00:00Z', duration: null, costCents: null } },
    ],
    [
      'failure',
      () => publishCastFailed('cast_1', 'u', 'why'),
      { type: 'FAILED', userId: 'u', data: { errorMessage: 'why' } },
    ],
    [
      'progress',
      () => publishCastProgress('cast_1', 'u', 50),
      { type: 'PROGRESS_UPDATE', userId: 'u', data: { progress: 50 } },
    ],
    [
      'progress and what it does',
      () => publishCastProgress('cast_1', 'u', 50, 'half'),
      { type: 'PROGRESS_UPDATE', userId: 'u', data: { progress: 50, message: 'half' } },
    ],
    [
      'an artifact',
      () => publishCastArtifactReady('cast_1', 'u', 'https://x.test/a'),
      { type: 'ARTIFACT_READY', userId: 'u', data: { artifactUrl: 'https://x.test/a' } },
    ],
    ['what is stored', () => publishCastUpdate('cast_1'), { type: 'STATUS_CHANGED' }],
    [
      'a record of the caller',
      () => {
        const record = {
          id: 'cast_1',
          userId: 'u',
          status: 'running' as const,
          startedAt: at,
          costCents: null,
          ownColumn: 1n,
        };
        return publishCastUpdate('cast_1', record);
      },
      {
        type: 'STATUS_CHANGED',
        userId: 'u',
        data: { status: 'running', startedAt: at.toISOString(), costCents: null },
      },
    ],
    [
      'an event of the caller',
      () => publishCastEvent('cast_1', 'log.line', { text: 'x' }, 'u'),
      { type: 'log.line', userId: 'u', data: { text: 'x' } },
    ],
    ['an event without an owner', () => publishCastEvent('cast_1', 'log.line', null), { type: 'log.line', data: null }],
  ])('%s', async (_, call, body) => {
    expect(await told(call)).toEqual({ path, ...body });
  });
});

test('what writes itself as a text or a number is one', async () => {
  const url = new URL('https://x.test/a');
  const moment = { toJSON: () => '2026-03-01T10:00:00Z' };
  expect(
    await told(() => publishCastCompleted('c', 'u', loose(moment), 0, loose(undefined), loose(url))),
  ).toMatchObject({
    data: { finishedAt: '2026-03-01T10:00:00Z', duration: 0, artifactUrl: 'https://x.test/a' },
  });
  expect(await told(() => publishCastUpdate('c', loose({ workflowRunId: 7, progress: 0 })))).toMatchObject({
    data: { workflowRunId: 7, progress: 0 },
  });
});

test('helpers are those of a publisher', () => {
  for (const wrong of [undefined, null, {}, 'http://x.test']) {
    expect(() => createCastHelpers(loose(wrong))).toThrow('`publisher` is');
  }
  expect(() => setDefaultPublisher(loose({ url: 'http://x.test' }))).toThrow(
    '`publisher` is of type object; it must be a publisher',
  );
});

test('an id is one segment of the path', async () => {
  expect(await told(() => publishCastUpdate('a/../b'))).toMatchObject({ path: '/api/casts/a%2F..%2Fb/events' });
});

const none = undefined as unknown as string;
/** Anything, as JavaScript takes it. */
const loose = (value?: unknown) => value as never;
const number = 7 as unknown as string;
test.each<[string, (helpers: CastHelpers) => Promise<Cast>]>([
  ['`castId` is missing', (helpers) => helpers.publishCastStarted(none, 'u', at)],
  ['`castId` is empty', (helpers) => helpers.publishCastProgress('', 'u', 50)],
  ['`castId` is 7', (helpers) => helpers.publishCastFailed(number, 'u', 'why')],
  ['`castId` is missing', (helpers) => helpers.publishCastUpdate(none)],
  ['`castId` is missing', (helpers) => helpers.publishCastEvent(none, 'log.line', null)],
  ['`userId` is missing', (helpers) => helpers.publishCastStatusChange('c', none, 'queued')],
  ['`userId` is missing', (helpers) => helpers.publishCastCompleted('c', none, at, null, null)],
  ['`userId` is empty', (helpers) => helpers.publishCastArtifactReady('c', '', 'https://x.test/a')],
  ['`userId` is 7', (helpers) => helpers.publishCastStarted('c', number, at)],
  ['`userId` is empty', (helpers) => helpers.publishCastUpdate('c', { userId: '' })],
  ['`userId` is 7', (helpers) => helpers.publishCastEvent('c', 'log.line', null, number)],
  ['`status` is missing; it must be queued, running,', (helpers) => helpers.publishCastStatusChange('c', 'u', loose())],
  ['`status` is "done"', (helpers) => helpers.publishCastStatusChange('c', 'u', loose('done'))],
  ['`status` is "done"', (helpers) => helpers.publishCastUpdate('c', loose({ status: 'done' }))],
  ['`startedAt` is 1772359200000; it must be a date', (helpers) => helpers.publishCastStarted('c', 'u', loose(+at))],
  ['`startedAt` is NaN; it must be a date', (helpers) => helpers.publishCastStarted('c', 'u', new Date('soon'))],
  ['`duration` is "3m"', (helpers) => helpers.publishCastCompleted('c', 'u', at, loose('3m'), null)],
  ['`costCents` is NaN; it must be a whole', (helpers) => helpers.publishCastCompleted('c', 'u', at, 1, Number.NaN)],
  ['`costCents` is 2.5', (helpers) => helpers.publishCastCompleted('c', 'u', at, 1, 2.5)],
  ['`errorMessage` is of type object', (helpers) => helpers.publishCastFailed('c', 'u', loose(new Error('why')))],
  ['`progress` is missing', (helpers) => helpers.publishCastProgress('c', 'u', loose())],
  ['`progress` is NaN; it must be a number from 0', (helpers) => helpers.publishCastProgress('c', 'u', Number.NaN)],
  ['`progress` is 101', (helpers) => helpers.publishCastProgress('c', 'u', 101)],
  ['`message` is 5', (helpers) => helpers.publishCastProgress('c', 'u', 50, loose(5))],
  ['`artifactUrl` is missing', (helpers) => helpers.publishCastArtifactReady('c', 'u', loose())],
  ['the state is of type array', (helpers) => helpers.publishCastUpdate('c', loose([]))],
  ["the telling's `type` is missing", (helpers) => helpers.publishCastEvent('c', loose(), null)],
  ['the state is missing', (helpers) => helpers.publishCastUpdate('c', null as unknown as CastState)],
])('%s: nothing is sent', async (says, call) => {
  const { publisher, asked } = publisherTo(() => undefined);
  await expect(call(createCastHelpers(publisher))).rejects.toMatchObject({
    name: 'PublishError',
    code: 'invalid_event',
    detail: expect.stringContaining(says),
  });
  expect(asked).toHaveLength(0);
});

test('what is told of no cast is refused, at once and in the queue', async () => {
  const { publisher, asked, failures } = publisherTo(() => undefined);
  const refused = { code: 'invalid_event', detail: expect.stringContaining('`castId` is missing') };
  await expect(publisher.tellCast(none, { type: 'STARTED' })).rejects.toMatchObject(refused);
  expect(publisher.enqueueCast(none, { type: 'STARTED' })).toBe(false);
  expect(failures).toMatchObject([{ error: refused }]);
  await expect(publisher.tellCast('c', null as unknown as CastTelling)).rejects.toMatchObject({
    detail: expect.stringContaining('the telling is missing'),
  });
  expect(asked).toHaveLength(0);
});

test.each(['.', '..'])('a cast called %s is refused: a URL takes it for a step', async (id) => {
  const { publisher, asked, failures } = publisherTo(() => undefined);
  await expect(createCastHelpers(publisher).publishCastUpdate(id)).rejects.toMatchObject({ code: 'invalid_event' });
  expect(publisher.enqueueCast(id, { type: 'STARTED' })).toBe(false);
  expect([asked.length, failures.length]).toEqual([0, 1]);
});

test('a date that is none is refused, not left out', async () => {
  const { publisher, asked } = publisherTo(() => undefined);
  const helpers = createCastHelpers(publisher);
  await expect(helpers.publishCastStarted('c', 'u', new Date('soon'))).rejects.toMatchObject({ code: 'invalid_event' });
  expect(asked).toHaveLength(0);
});

test('helpers of another publisher use that one', async () => {
  const { publisher, asked } = publisherTo(() => undefined);
  await createCastHelpers(publisher).publishCastUpdate('cast_2');
  expect(asked[0]?.path).toBe('/api/casts/cast_2/events');
});

test('the default publisher is made once', () => {
  expect(defaultPublisher()).toBe(defaultPublisher());
});

test('the signatures are the documented ones', () => {
  type Started = (castId: string, userId: string, startedAt: Date) => Promise<unknown>;
  expectTypeOf(publishCastStarted).toExtend<Started>();
  type Change = (castId: string, userId: string, status: CastStatus) => Promise<unknown>;
  expectTypeOf(publishCastStatusChange).toExtend<Change>();
  type Completed = (
    castId: string,
    userId: string,
    finishedAt: Date,
    duration: number,
    costCents: number,
    artifactUrl?: string,
  ) => Promise<unknown>;
  expectTypeOf(publishCastCompleted).toExtend<Completed>();
  expectTypeOf(publishCastFailed).toExtend<
    (castId: string, userId: string, errorMessage: string) => Promise<unknown>
  >();
  expectTypeOf(publishCastProgress).toExtend<
    (castId: string, userId: string, progress: number, message?: string) => Promise<unknown>
  >();
  expectTypeOf(publishCastArtifactReady).toExtend<
    (castId: string, userId: string, artifactUrl: string) => Promise<unknown>
  >();
  expectTypeOf(publishCastUpdate).toExtend<(castId: string) => Promise<unknown>>();
  expectTypeOf(publishCastEvent).toExtend<
    (castId: string, type: string, data: object, userId?: string) => Promise<unknown>
  >();
});
