// `@tidings/client/casts`: one cast, from its state on to its end.

export * from '../wire/casts.generated.ts';
export { type CastFollowing, type CastInfo, type CastListeners, followCast } from './follow.ts';
export { applyCastEvent, type CastNews, isTerminal, newsOf, stateNews } from './news.ts';
