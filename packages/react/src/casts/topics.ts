// The topic of a cast.

import type { Topic } from '../store.ts';
import type { CastState } from './cast-state.ts';
import { type CastEventHandlers, CastStore } from './cast-store.ts';

export type CastTopic = Topic<CastState, CastEventHandlers>;

/** Follows a cast; those that are as patient share it. */
export function castTopic(castId: string, reconnect = true, most = Number.POSITIVE_INFINITY): CastTopic {
  return {
    key: `cast ${castId} ${reconnect} ${most}`,
    make: (hub, key) => new CastStore(hub, key, castId, { reconnect, most }),
  };
}
