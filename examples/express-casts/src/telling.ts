// Telling Tidings, so that no change stays untold.
//
// The change and the telling are two steps in two systems. So a change is stored as untold, then told, then marked as
// told; what a crash leaves untold is told at the next start.

import { type Cast, PublishError, publishCastUpdate } from '@tidings/publisher';
import type { CastRecord, CastStore } from './store.ts';

/** Tells of a change that is stored. */
export async function tell(store: CastStore, cast: CastRecord, telling: () => Promise<Cast>): Promise<void> {
  await telling();
  await store.markTold(cast);
}

/** Tells of everything that is untold: at the start. */
export async function tellTheRest(store: CastStore): Promise<number> {
  const untold = store.untold();
  for (const cast of untold) {
    try {
      await publishCastUpdate(cast.id, cast);
    } catch (error) {
      // Its end was told; only the mark is missing.
      if (!(error instanceof PublishError && error.code === 'illegal_transition')) throw error;
    }
    await store.markTold(cast);
  }
  return untold.length;
}
