// What an event or a record of a cast says, in the shapes of the casts' frames. Pure.

import type {
  Cast,
  CastArtifactFrame,
  CastCompleteFrame,
  CastFailedFrame,
  CastProgressFrame,
  CastStatus,
  CastStatusFrame,
} from '../wire/casts.generated.ts';
import type { Event } from '../wire/generated.ts';

/** Something that is told of a cast. */
export type CastNews =
  | { readonly type: 'status'; readonly data: CastStatusFrame }
  | { readonly type: 'progress'; readonly data: CastProgressFrame }
  | { readonly type: 'complete'; readonly data: CastCompleteFrame }
  | { readonly type: 'failed'; readonly data: CastFailedFrame }
  | { readonly type: 'artifact'; readonly data: CastArtifactFrame };

/** Whether a status is an end. */
export function isTerminal(status: CastStatus): boolean {
  return status !== 'queued' && status !== 'running';
}

type Members = Record<string, unknown>;

function pick(data: Members, ...names: string[]): Members {
  return Object.fromEntries(names.filter((name) => data[name] !== undefined).map((name) => [name, data[name]]));
}

function news(type: CastNews['type'], data: Members): CastNews {
  const members = {
    status: ['status', 'startedAt'],
    progress: ['progress', 'message'],
    complete: ['status', 'duration', 'costCents', 'finishedAt', 'artifactUrl'],
    failed: ['status', 'errorMessage'],
    artifact: ['artifactUrl'],
  }[type];
  return { type, data: pick(data, 'castId', ...members, 'timestamp') } as unknown as CastNews;
}

/** What an event on `cast:{id}` says; nothing for a type that a backend had relayed. */
export function newsOf(event: Event): CastNews[] {
  const data = (event.data ?? {}) as Members;
  switch (event.type) {
    case 'STATUS_CHANGED':
    case 'STARTED':
      return [news('status', data)];
    case 'COMPLETED':
      return [news('status', data), news('complete', data)];
    case 'FAILED':
      return [news('status', data), news('failed', data)];
    case 'PROGRESS_UPDATE':
      return [news('progress', data)];
    case 'ARTIFACT_READY':
      return [news('artifact', data)];
    default:
      return [];
  }
}

/** What a record says: its status, its end, or how far it is and what it has made. */
export function stateNews(cast: Cast): CastNews[] {
  const set = Object.entries(cast).filter(
    ([name, value]) => value !== null || name === 'duration' || name === 'costCents' || name === 'errorMessage',
  );
  const data: Members = { ...Object.fromEntries(set), castId: cast.id, timestamp: cast.updatedAt };
  const told = [news('status', data)];
  if (cast.status === 'succeeded') told.push(news('complete', data));
  if (cast.status === 'failed') told.push(news('failed', data));
  if (isTerminal(cast.status)) return told;
  if (cast.progress !== null) told.push(news('progress', data));
  if (cast.artifactUrl !== null) told.push(news('artifact', data));
  return told;
}

const OF_THE_RECORD = [
  'status',
  'progress',
  'message',
  'startedAt',
  'finishedAt',
  'duration',
  'costCents',
  'artifactUrl',
  'errorMessage',
];

/** The record as an event leaves it. */
export function applyCastEvent(cast: Cast, event: Event): Cast {
  if (newsOf(event).length === 0) return cast;
  const data = event.data as Members;
  const { timestamp } = data as { timestamp?: string };
  return {
    ...cast,
    ...pick(data, ...OF_THE_RECORD),
    updatedAt: timestamp ?? cast.updatedAt,
    version: event.version ?? cast.version,
  };
}
