import { randomUUID } from 'node:crypto';
import { OBJECT, WORD } from './check.ts';
import { PublishError } from './errors.ts';
import type { CastEventKind, CastFields } from './generated.ts';
import { checkArgument, write } from './prepared.ts';

/** What can be said of a cast, as programs have it: instants may be dates, and `null` stands for what is not known. */
export type CastState = {
  readonly [Member in keyof CastFields]?: Stated<CastFields[Member], Member> | null | undefined;
};

type Stated<Value, Member> = Member extends 'startedAt' | 'finishedAt' ? Value | Date : Value;

/** What a backend tells of a cast. */
export interface CastTelling {
  /** One of the six kinds, which change the cast; any other type is relayed to subscribers as it is. */
  readonly type: CastEventKind | (string & {});
  /** Of the six kinds: the cast's fields. Of others: any JSON, at most 64 KiB. */
  readonly data?: unknown;
  /** The cast's owner; needed where this is the first mention of the cast. */
  readonly userId?: string | undefined;
  /** Makes retries one change: 1 to 255 bytes. Default: drawn. */
  readonly idempotencyKey?: string | undefined;
  /** Your own name for the change, 1 to 200 bytes: the events' `mutationId`. */
  readonly mutationId?: string | undefined;
}

/** Refuses what is no id: written into a path or a body, `undefined` would be a cast or a user of that name. */
export function checkId(name: 'castId' | 'userId', id: unknown): void {
  checkArgument(`\`${name}\``, id, WORD);
}

/** Where it is sent. */
export function pathOf(castId: string): string {
  checkId('castId', castId);
  // A URL takes these for steps, however they are written.
  if (castId === '.' || castId === '..') throw new PublishError('invalid_event', `a cast cannot be called ${castId}`);
  return `/api/casts/${encodeURIComponent(castId)}/events`;
}

/** What is sent. */
export function bodyOfTelling(telling: CastTelling): string {
  checkArgument('the telling', telling, OBJECT);
  checkArgument("the telling's `type`", telling.type, WORD);
  const { type, data, userId, idempotencyKey = randomUUID(), mutationId } = telling;
  return write({ type, data, userId, idempotencyKey, mutationId });
}
