// What is known of a followed cast, and what its news make of it. Pure.

import type { Cast, CastNews, CastStatus } from '@tidings/client/casts';
import { isTerminal, stateNews } from '@tidings/client/casts';

/** The latest news of a cast over its last known state; what is not known is left out. */
export interface CastLastEvent {
  readonly type: CastNews['type'];
  readonly castId: string;
  readonly status: CastStatus;
  /** When this was so. */
  readonly timestamp: string;
  readonly startedAt?: string;
  readonly finishedAt?: string;
  /** From 0 to 100. */
  readonly progress?: number;
  readonly message?: string;
  /** In milliseconds. */
  readonly duration?: number;
  readonly costCents?: number;
  readonly artifactUrl?: string;
  readonly errorMessage?: string;
}

/** What {@link useCastStatus} answers. */
export interface CastStatusResult {
  /** `null` until it is known. */
  readonly status: CastStatus | null;
  /** Whether the cast has ended. */
  readonly isTerminal: boolean;
  readonly isConnected: boolean;
}

export interface CastState {
  readonly cast: Cast | null;
  readonly lastEvent: CastLastEvent | null;
  readonly lastUpdate: Date | null;
  readonly isConnected: boolean;
  readonly error: Error | null;
  readonly reconnectCount: number;
  /** For those that look at nothing else: the same object until one of its members changes. */
  readonly brief: CastStatusResult;
}

export const NO_CAST: CastState = {
  cast: null,
  lastEvent: null,
  lastUpdate: null,
  isConnected: false,
  error: null,
  reconnectCount: 0,
  brief: { status: null, isTerminal: false, isConnected: false },
};

export function briefOf(cast: Cast | null, isConnected: boolean, last: CastStatusResult): CastStatusResult {
  const status = cast?.status ?? null;
  if (last.status === status && last.isConnected === isConnected) return last;
  return { status, isTerminal: status !== null && isTerminal(status), isConnected };
}

const MEMBERS = [
  'status',
  'timestamp',
  'startedAt',
  'finishedAt',
  'progress',
  'message',
  'duration',
  'costCents',
  'artifactUrl',
  'errorMessage',
];

/** News over the state. */
export function lastEventOf({ type, data }: CastNews, cast: Cast): CastLastEvent {
  const all: Record<string, unknown> = { ...cast, ...data };
  const known = MEMBERS.filter((name) => all[name] !== null && all[name] !== undefined);
  const members = Object.fromEntries(known.map((name) => [name, all[name]]));
  return { type, castId: cast.id, ...members } as unknown as CastLastEvent;
}

/**
 * What a newcomer is told: what a record says, without its end, which is told when it happens, and without the message
 * of its progress: nobody is notified of that anew because a page was loaded anew.
 */
export function initialNews(cast: Cast): CastNews[] {
  const known = stateNews(cast).filter(({ type }) => type !== 'complete' && type !== 'failed');
  return known.map((news) => {
    if (news.type !== 'progress') return news;
    const { message, ...data } = news.data;
    return { ...news, data };
  });
}
