import { PublishError } from './errors.ts';
import type { Cast, CastEventKind, CastStatus } from './generated.ts';
import { checkObject } from './prepared.ts';
import type { Publisher } from './publisher.ts';
import { type CastState, checkId } from './telling.ts';

/** An instant: a date, or RFC 3339 with its offset from UTC. */
export type InstantLike = Date | string;

/**
 * What a backend tells of its casts, a function for each thing. All of them resolve with the cast as Tidings has it
 * once the change and its event are on disk, and reject with a `PublishError`: `illegal_transition` (409, with the
 * cast as `current`) where the cast has ended or would go back; `invalid_event` where an id is missing.
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
   */
  publishCastUpdate(castId: string, state?: CastState & { readonly userId?: string | null | undefined }): Promise<Cast>;
  /** Any of the six kinds with its data, or an event of your own, which is relayed. */
  publishCastEvent(castId: string, type: CastEventKind | (string & {}), data: unknown, userId?: string): Promise<Cast>;
}

const FIELDS = [
  'status',
  'progress',
  'message',
  'startedAt',
  'finishedAt',
  'duration',
  'costCents',
  'artifactUrl',
  'errorMessage',
  'repository',
  'workflowRunId',
] as const satisfies readonly (keyof CastState)[];

/** The helpers, publishing by the publisher that `publisherOf` gives at each call. */
export function castHelpersOf(publisherOf: () => Publisher): CastHelpers {
  const send = async (castId: string, type: string, data: unknown, userId: string | null | undefined) => {
    checkId('castId', castId);
    if (userId !== undefined && userId !== null) checkId('userId', userId);
    return publisherOf().tellCast(castId, { type, data, userId: userId ?? undefined });
  };
  const tell = async (castId: string, type: CastEventKind, data: CastState, userId: string) => {
    checkId('userId', userId);
    checkDates(data);
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

/** The helpers for a publisher of your own, e.g. for a second server. */
export function createCastHelpers(publisher: Publisher): CastHelpers {
  return castHelpersOf(() => publisher);
}

/** A date that is none would be written as `null`, which says nothing. */
function checkDates(state: CastState): void {
  for (const [name, value] of Object.entries(state)) {
    if (value instanceof Date && Number.isNaN(value.getTime())) {
      throw new PublishError('invalid_event', `\`${name}\` is a date that is none`);
    }
  }
}

function fieldsOf(state: CastState): CastState {
  checkObject('state', state);
  const fields = Object.fromEntries(FIELDS.map((name) => [name, state[name]]));
  checkDates(fields);
  return fields;
}
