// Follows a cast: its state, then what happens to it, to its end; over the client's one connection.

import { check, type Rules } from '../check.ts';
import type { Client } from '../client.ts';
import type { Gap } from '../delivery.ts';
import type {
  Cast,
  CastArtifactFrame,
  CastCompleteFrame,
  CastFailedFrame,
  CastProgressFrame,
  CastStatusFrame,
} from '../wire/casts.generated.ts';
import type { Event } from '../wire/generated.ts';
import { applyCastEvent, type CastNews, isTerminal, newsOf, stateNews } from './news.ts';
import { readCast } from './read.ts';

/** What stands beside what is told. */
export interface CastInfo {
  /** The record as it is with this. */
  readonly cast: Cast;
  /**
   * Whether this is the state as it was when following began, rather than something that has just happened: nothing to
   * notify anybody of.
   */
  readonly isInitial: boolean;
}

/** What is called. Whatever is older than what is known is left out, by the record's version. */
export interface CastListeners {
  /** The cast has this status; at its beginning and end too. */
  readonly onStatus?: ((data: CastStatusFrame, info: CastInfo) => void) | undefined;
  /** It got further. */
  readonly onProgress?: ((data: CastProgressFrame, info: CastInfo) => void) | undefined;
  /** It succeeded; `onStatus` was called before. */
  readonly onComplete?: ((data: CastCompleteFrame, info: CastInfo) => void) | undefined;
  /** It failed; `onStatus` was called before. */
  readonly onError?: ((data: CastFailedFrame, info: CastInfo) => void) | undefined;
  /** There is something that it made. */
  readonly onArtifact?: ((data: CastArtifactFrame, info: CastInfo) => void) | undefined;
  /** The record has changed, in whatever way; called before the others. */
  readonly onCast?: ((cast: Cast) => void) | undefined;
  /** An event of a type that a backend had relayed. */
  readonly onEvent?: ((event: Event) => void) | undefined;
  /** Events were lost; the record is read again, and what is news in it is told. */
  readonly onGap?: ((gap: Gap) => void) | undefined;
  /** It has ended, and is not followed any more. */
  readonly onEnd?: ((cast: Cast) => void) | undefined;
  /** The cast cannot be read, for now or for good, or a listener failed. Default: the platform's `reportError`. */
  readonly onFailure?: ((error: Error) => void) | undefined;
}

/** A cast that is followed. */
export interface CastFollowing {
  /** The record; `null` until it has been read. */
  readonly cast: Cast | null;
  /** Resolves once the state is known and events come, or the cast has ended. Rejects where it cannot be read. */
  readonly ready: Promise<void>;
  /** Ends it; nothing is called from now on. */
  close(): void;
}

const LISTENERS: Rules = {
  onStatus: 'function',
  onProgress: 'function',
  onComplete: 'function',
  onError: 'function',
  onArtifact: 'function',
  onCast: 'function',
  onEvent: 'function',
  onGap: 'function',
  onEnd: 'function',
  onFailure: 'function',
};

function tell({ type, data }: CastNews, info: CastInfo, listeners: CastListeners): void {
  if (type === 'status') listeners.onStatus?.(data, info);
  else if (type === 'progress') listeners.onProgress?.(data, info);
  else if (type === 'complete') listeners.onComplete?.(data, info);
  else if (type === 'failed') listeners.onError?.(data, info);
  else listeners.onArtifact?.(data, info);
}

/**
 * Follows a cast until it has ended. Where it has ended already its final state is told, and that is all. Casts that are
 * followed from one task on are read by one request, up to 200, and so they are after a gap.
 *
 * @throws TypeError for what is no cast's id, and for listeners that are no functions.
 */
export function followCast(client: Client, castId: string, listeners: CastListeners): CastFollowing {
  check('castId', castId, /^(?!events$)[\w.~@-]{1,120}$/);
  check('listeners', listeners, LISTENERS);
  let cast: Cast | null = null;
  let isOver = false;
  let settle: () => void = () => {};
  const ended = new Promise<void>((resolve) => {
    settle = resolve;
  });

  const end = (last: Cast) => {
    isOver = true;
    settle();
    subscription.close();
    listeners.onEnd?.(last);
  };

  const change = (next: Cast, news: readonly CastNews[], isInitial: boolean) => {
    cast = next;
    try {
      listeners.onCast?.(next);
      // Whatever is called may end it.
      for (const one of news) if (!isOver) tell(one, { cast: next, isInitial }, listeners);
    } finally {
      // It has ended, whatever a listener makes of it.
      if (isTerminal(next.status) && !isOver) end(next);
    }
  };

  const { onFailure, onGap } = listeners;
  const read = (signal: AbortSignal) => readCast(client, castId, signal);
  const subscription = client.snapshot<Cast>(read, `cast:${castId}`, {
    ...(onFailure && { onError: onFailure }),
    ...(onGap && { onGap }),
    onSnapshot: (read) => {
      const known = cast;
      if (known === null) return change(read, stateNews(read), true);
      if (read.version > known.version) change(read, stateNews(read), false);
    },
    onEvent: (event) => {
      const known = cast;
      if (known === null || (event.version !== undefined && event.version < known.version)) return;
      const news = newsOf(event);
      if (news.length === 0) return listeners.onEvent?.(event);
      change(applyCastEvent(known, event), news, false);
    },
  });

  const ready = Promise.race([subscription.ready, ended]);
  // Whoever does not ask is not told.
  ready.catch(() => {});
  return {
    get cast() {
      return cast;
    },
    ready,
    close: () => {
      isOver = true;
      subscription.close();
    },
  };
}
