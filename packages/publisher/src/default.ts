import { type CastHelpers, castHelpersOf, checkPublisher } from './casts.ts';
import { createPublisher, type Publisher } from './publisher.ts';

let publisher: Publisher | undefined;

/**
 * The one publisher of this process that the module's functions use. Made at its first use from the environment's
 * `TIDINGS_URL` and `TIDINGS_API_KEY`, so that a program may load these after it has imported the module.
 */
export function defaultPublisher(): Publisher {
  publisher ??= createPublisher();
  return publisher;
}

/** Has the module's functions use this publisher from now on; `undefined`: one from the environment again. */
export function setDefaultPublisher(next: Publisher | undefined): void {
  if (next !== undefined) checkPublisher(next);
  publisher = next;
}

/** Publishes an event; see `Publisher.publish`. */
export const publish: Publisher['publish'] = (...call) => defaultPublisher().publish(...call);
/** Publishes events in their order; see `Publisher.publishBatch`. */
export const publishBatch: Publisher['publishBatch'] = (...call) => defaultPublisher().publishBatch(...call);
/** Hands an event over and returns at once; see `Publisher.enqueue`. */
export const enqueue: Publisher['enqueue'] = (...call) => defaultPublisher().enqueue(...call);
/** Hands over what is told of a cast and returns at once; see `Publisher.enqueueCast`. */
export const enqueueCast: Publisher['enqueueCast'] = (...call) => defaultPublisher().enqueueCast(...call);

const helpers: CastHelpers = /* @__PURE__ */ castHelpersOf(defaultPublisher);

/** Tells that a cast has this status. */
export const publishCastStatusChange: CastHelpers['publishCastStatusChange'] = helpers.publishCastStatusChange;
/** Tells that a cast runs, since `startedAt`. */
export const publishCastStarted: CastHelpers['publishCastStarted'] = helpers.publishCastStarted;
/** Tells that a cast succeeded: `duration` in whole milliseconds, `costCents` in whole cents, `null` where not known. */
export const publishCastCompleted: CastHelpers['publishCastCompleted'] = helpers.publishCastCompleted;
/** Tells that a cast failed; the message has at most 2,000 characters. */
export const publishCastFailed: CastHelpers['publishCastFailed'] = helpers.publishCastFailed;
/** Tells that a cast is at `progress`, 0 to 100, and does what the message says, at most 2,000 characters. */
export const publishCastProgress: CastHelpers['publishCastProgress'] = helpers.publishCastProgress;
/** Tells that a cast made something: an `http` or `https` address, at most 2,000 characters. */
export const publishCastArtifactReady: CastHelpers['publishCastArtifactReady'] = helpers.publishCastArtifactReady;
/**
 * Publishes a cast's state: without `state` what Tidings stores, again; with it, what you have, e.g. your whole record.
 * Of a cast that has ended nothing is published: `illegal_transition`.
 */
export const publishCastUpdate: CastHelpers['publishCastUpdate'] = helpers.publishCastUpdate;
/** Tells of a cast by any of the six kinds with its data, or by a type of your own, which is relayed. */
export const publishCastEvent: CastHelpers['publishCastEvent'] = helpers.publishCastEvent;
