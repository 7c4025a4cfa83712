// The program's own records. Yours are rows of a database.

import type { CastStatus } from '@tidings/publisher';

/** A cast as this program keeps it. */
export interface CastRecord {
  readonly id: string;
  readonly userId: string;
  readonly status: CastStatus;
}

/** By id. */
export const casts = new Map<string, CastRecord>([['cast_1', { id: 'cast_1', userId: 'user_1', status: 'queued' }]]);
