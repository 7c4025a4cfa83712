import { checkOption, FUNCTION, OBJECT, type Rule, TEXT } from './check.ts';
import type { Cast, CastEventKind, CastStatus } from './generated.ts';
import { checkArgument } from './prepared.ts';
import type { Publisher } from './publisher.ts';
import { type CastState, checkId } from './telling.ts';

/** An instant: a date, or RFC 3339 with its offset from UTC. */
export type InstantLike = Date | string;

/**
 * What a backend tells of its casts, a function for each thing. All of them resolve with the cast as Tidings has it
 * once the change and its event are on disk, and reject with a `PublishError`: `illegal_transition` (409, with the
 * cast as `current`) where the cast has ended or would go back; `invalid_event` where an argument is missing or cannot be.
 *
 * Casts are told of by whoever keeps them: the first mention of an id makes the cast known, owned by `userId`.
 */
export interface CastHelpers {
  /** It has this status. */
  publishCastStatusChange(castId: string, userId: string, status: CastStatus): Promise<Cast>;
  /** It runs, since `startedAt`. */
  publishCastStarted(castId: string, userId: string, startedAt: InstantLike): Promise<Cast>;
  /** It succeeded: `duration` in whole milliseconds, `costCents` in whole cents, `null` where not known. */
  publishCastCompleted(
    castId: string,
    userId: string,
    finishedAt: InstantLike,
    duration: number | null,
    costCents: number | null,
    artifactUrl?: string | null,
  ): Promise<Cast>;
  /** It failed; the message has at most 2,000 characters. */
  publishCastFailed(castId: string, userId: string, errorMessage: string): Promise<Cast>;
  /** It is at `progress`, 0 to 100, and does what the message says, at most 2,000 characters. */
  publishCastProgress(castId: string, userId: string, progress: number, message?: string | null): Promise<Cast>;
  /** It made something: an `http` or `https` address, at most 2,000 characters. */
  publishCastArtifactReady(castId: string, userId: string, artifactUrl: string): Promise<Cast>;
  /**
   * Publishes the cast's state: without `state` what Tidings stores, again; with it, what the caller has. A whole
   * record can be passed: members that are not a cast's are left out.
   *
   * Nothing follows the end of a cast, its state again included: `illegal_transition`, with the cast as `current`. Whoever
   * calls this after any change of a record passes over that one.
   */
  publishCastUpdate(castId: string, state?: CastState & { readonly userId?: string | null | undefined }): Promise<Cast>;
  /** Any of the six kinds with its data, or an event of your own, which is relayed. */
  publishCastEvent(castId: string, type: CastEventKind | (string & {}), data: unknown, userId?: string): Promise<Cast>;
}

const INSTANT: Rule = ['a date, or RFC 3339 as a string', TEXT[1]];
const WHOLE: Rule = [
  'a whole number from 0 to 2^53 - 1',
  (value) => Number.isSafeInteger(value) && (value as number) >= 0,
];

/** What a cast's fields may be once they are written: of numbers that are none, JSON would make what is not known. */
const FIELDS: { readonly [name in keyof CastState]-?: Rule } = {
  status: [
    'queued, running, succeeded, failed or cancelled',
    (value) => TEXT[1](value) && /^(queued|running|succeeded|failed|cancelled)$/.test(value as string),
  ],
  progress: ['a number from 0 to 100', (value) => typeof value === 'number' && value >= 0 && value <= 100],
  message: TEXT,
  startedAt: INSTANT,
  finishedAt: INSTANT,
  duration: WHOLE,
  costCents: WHOLE,
  artifactUrl: TEXT,
  errorMessage: TEXT,
  repository: TEXT,
  workflowRunId: ['a string or a whole number', (value) => TEXT[1](value) || Number.isSafeInteger(value)],
};

/** The helpers, publishing by the publisher that `publisherOf` gives at each call. */
export function castHelpersOf(publisherOf: () => Publisher): CastHelpers {
  const send = async (castId: string, type: string, data: unknown, userId: string | null | undefined) => {
    checkId('castId', castId);
    if (userId !== undefined && userId !== null) checkId('userId', userId);
    return publisherOf().tellCast(castId, { type, data, userId: userId ?? undefined });
  };
  const tell = async (castId: string, type: CastEventKind, data: CastState, userId: string) => {
    checkId('userId', userId);
    for (const name of NEEDED[type] ?? []) checkField(name, data[name]);
    checkFields(data);
    return send(castId, type, data, userId);
  };
  return {
    publishCastStatusChange: (castId, userId, status) => tell(castId, 'STATUS_CHANGED', { status }, userId),
    publishCastStarted: (castId, userId, startedAt) => tell(castId, 'STARTED', { startedAt }, userId),
    publishCastCompleted: (castId, userId, finishedAt, duration, costCents, artifactUrl) =>
      tell(castId, 'COMPLETED', { finishedAt, duration, costCents, artifactUrl }, userId),
    publishCastFailed: (castId, userId, errorMessage) => tell(castId, 'FAILED', { errorMessage }, userId),
    publishCastProgress: (castId, userId, progress, message) =>
      tell(castId, 'PROGRESS_UPDATE', { progress, message }, userId),
    publishCastArtifactReady: (castId, userId, artifactUrl) => tell(castId, 'ARTIFACT_READY', { artifactUrl }, userId),
    publishCastUpdate: async (castId, state) =>
      send(castId, 'STATUS_CHANGED', state === undefined ? undefined : fieldsOf(state), state?.userId),
    publishCastEvent: send,
  };
}

/** @throws TypeError for what is no publisher, such as the options of one. */
export function checkPublisher(publisher: Publisher): void {
  const may = 'a publisher, as `createPublisher` makes it';
  checkOption('publisher', publisher ?? null, [
    may,
    (value) => OBJECT[1](value) && FUNCTION[1]((value as Publisher).tellCast),
  ]);
}

/** The helpers for a publisher of your own, e.g. for a second server. */
export function createCastHelpers(publisher: Publisher): CastHelpers {
  checkPublisher(publisher);
  return castHelpersOf(() => publisher);
}

/** What says nothing without it. */
const NEEDED: { readonly [type in CastEventKind]?: readonly (keyof CastState)[] } = {
  STATUS_CHANGED: ['status'],
  PROGRESS_UPDATE: ['progress'],
  ARTIFACT_READY: ['artifactUrl'],
};

function checkField(name: keyof CastState, value: unknown): void {
  const { toJSON } = Object(value) as { readonly toJSON?: () => unknown };
  // A date that is none is written as `null`, which says nothing.
  const isNone = value instanceof Date && Number.isNaN(value.getTime());
  const written = isNone ? Number.NaN : typeof toJSON === 'function' ? toJSON.call(value) : value;
  checkArgument(`\`${name}\``, written, FIELDS[name]);
}

function checkFields(state: CastState): void {
  for (const name of Object.keys(FIELDS) as (keyof CastState)[]) {
    if (state[name] !== undefined && state[name] !== null) checkField(name, state[name]);
  }
}

function fieldsOf(state: CastState): CastState {
  checkArgument('the state', state, OBJECT);
  const names = Object.keys(FIELDS) as (keyof CastState)[];
  const fields: CastState = Object.fromEntries(names.map((name) => [name, state[name]]));
  checkFields(fields);
  return fields;
}
