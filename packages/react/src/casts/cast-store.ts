// A cast that is followed, to its end.

import { type Client, type Status, TidingsError } from '@tidings/client';
import {
  type Cast,
  type CastFollowing,
  type CastInfo,
  type CastListeners,
  type CastNews,
  followCast,
  stateNews,
} from '@tidings/client/casts';
import { call } from '../frame.ts';
import type { Hub } from '../hub.ts';
import { isFinal, isHidden } from '../refusal.ts';
import { Store } from '../store.ts';
import { briefOf, type CastState, initialNews, lastEventOf, NO_CAST } from './cast-state.ts';

type Told = 'onStatus' | 'onProgress' | 'onComplete' | 'onError' | 'onArtifact';

/** What the hooks on casts call; each time what was given with the latest render. */
export type CastEventHandlers = {
  /**
   * `onStatus`, `onProgress` and `onArtifact` are told what is known at first too, with `isInitial`, and `onProgress`
   * then without the `message`, which stands in `info.cast.message` and `lastEvent.message`. Of a cast that has ended
   * already `onStatus` alone is told. `onComplete` and `onError` are told only of what happens while the hook is there.
   */
  readonly [Name in Told]?: CastListeners[Name] | undefined;
} & {
  /** Whether events come has changed. It begins with `false`, which is not told. */
  readonly onConnectionChange?: ((connected: boolean) => void) | undefined;
};

/** How often it is tried. */
export interface Patience {
  readonly reconnect: boolean;
  readonly most: number;
}

const LOST: readonly Status['state'][] = ['reconnecting', 'offline', 'refused', 'closed'];
function tell(handlers: CastEventHandlers, { type, data }: CastNews, info: CastInfo): void {
  if (type === 'status') call(handlers.onStatus, data, info);
  else if (type === 'progress') call(handlers.onProgress, data, info);
  else if (type === 'complete') call(handlers.onComplete, data, info);
  else if (type === 'failed') call(handlers.onError, data, info);
  else call(handlers.onArtifact, data, info);
}

export class CastStore extends Store<CastState, CastEventHandlers> {
  readonly #castId: string;
  readonly #patience: Patience;
  #following: CastFollowing | undefined;
  /** Counts the followings, so that what belongs to an earlier one is left alone. */
  #run = 0;
  #isReady = false;
  #isOver = false;
  #isStopped = false;
  #failure: Error | null = null;
  /** Attempts to read the cast that failed in a row. */
  #failures = 0;
  /** The connection's attempts that were made before this began; -1 once it was seen to be good. */
  #before = -1;

  constructor(hub: Hub, key: string, castId: string, patience: Patience) {
    super(hub, key, NO_CAST);
    this.#castId = castId;
    this.#patience = patience;
  }

  protected open(): void {
    const { frames, client, status } = this.hub;
    this.#before = LOST.includes(status.state) ? status.attempt : -1;
    this.#run += 1;
    const run = this.#run;
    const put = (task: () => void) => frames.put(() => run === this.#run && task());
    try {
      this.#following = this.#follow(client, put);
      this.#following.ready.then(
        () => put(() => this.#ready()),
        (error) => put(() => isFinal(error) && this.#stop(error)),
      );
    } catch (error) {
      // No channel can have this name: there is no such cast.
      put(() => this.#stop(error as Error));
    }
  }

  #follow(client: Client, put: (task: () => void) => void): CastFollowing {
    let isFirst = true;
    const news =
      <Type extends CastNews['type']>(type: Type) =>
      (data: (CastNews & { type: Type })['data'], info: CastInfo) => {
        const at = new Date();
        if (!info.isInitial) put(() => this.#tell({ type, data } as CastNews, info, at));
      };
    return followCast(client, this.#castId, {
      onCast: (cast) => {
        const at = new Date();
        const change = isFirst ? () => this.#known(cast, at) : () => this.#update({ cast });
        isFirst = false;
        put(change);
      },
      onStatus: news('status'),
      onProgress: news('progress'),
      onComplete: news('complete'),
      onError: news('failed'),
      onArtifact: news('artifact'),
      onGap: (gap) => {
        const error = new TidingsError({ kind: 'forbidden', code: gap.reason, status: 403 }, gap.channels[0]);
        if (gap.reason === 'unauthorized') put(() => this.#stop(error));
      },
      onFailure: (error) => put(() => this.#failed(error)),
      onEnd: () => put(() => this.#end()),
    });
  }

  protected close(): void {
    this.#run += 1;
    this.#following?.close();
    this.#following = undefined;
  }

  protected override greet(handlers: CastEventHandlers): void {
    const { cast } = this.state;
    if (cast === null) return;
    for (const news of initialNews(cast)) tell(handlers, news, { cast, isInitial: true });
  }

  /** The record has been read for the first time since this following began. */
  #known(cast: Cast, at: Date): void {
    const known = this.state.cast;
    [this.#failures, this.#failure] = [0, null];
    const news = stateNews(cast);
    if (known === null) {
      const lastEvent = news.reduce<CastState['lastEvent']>((_, one) => lastEventOf(one, cast), null);
      this.#update({ cast, lastEvent, lastUpdate: at });
      this.each((handlers) => this.greet(handlers));
    } else if (cast.version > known.version) {
      // It went on while this hook had given up.
      this.#update({ cast });
      for (const one of news) this.#tell(one, { cast, isInitial: false }, at);
    }
  }

  #tell(news: CastNews, info: CastInfo, at: Date): void {
    this.#update({ lastEvent: lastEventOf(news, info.cast), lastUpdate: at });
    this.each((handlers) => tell(handlers, news, info));
  }

  #ready(): void {
    this.#isReady = true;
    [this.#failures, this.#failure] = [0, null];
    this.#update({});
  }

  #end(): void {
    this.#isOver = true;
    this.#update({});
  }

  #failed(error: Error): void {
    const { reconnect, most } = this.#patience;
    if (isFinal(error)) this.#stop(error);
    // Once events come, reading it again is the client's business.
    if (this.#isReady || this.#isStopped) return;
    this.#failures += 1;
    this.#failure = error;
    if (!reconnect || this.#failures > most) this.#stop(error);
    else this.#update({});
  }

  override onStatus(): void {
    super.onStatus();
    const { state, attempt, error } = this.hub.status;
    const { reconnect, most } = this.#patience;
    const isLost = LOST.includes(state);
    this.#before = isLost ? Math.min(this.#before, attempt) : -1;
    const isAgain = isLost && attempt > this.#before;
    const isUsedUp = isLost && attempt - Math.max(0, this.#before) > most;
    if (isUsedUp || (isAgain && !reconnect)) {
      this.#stop(error ?? new TidingsError({ kind: 'network', code: 'network', detail: 'the connection was lost' }));
    } else this.#update({});
  }

  /** Gives up, until somebody asks to try again. */
  #stop(error: Error): void {
    if (this.#isOver || this.#isStopped) return;
    this.close();
    this.#isStopped = true;
    this.#isReady = false;
    this.#failure = error;
    if (isHidden(error)) this.forget();
    this.#update({});
  }

  protected override forget(): void {
    this.#isOver = false;
    // Who is told of the connection is told by the update that follows.
    this.state = { ...NO_CAST, isConnected: this.state.isConnected };
    this.hub.frames.changed(this);
  }

  protected override restart(isAnew: boolean): void {
    if (!isAnew && !this.#isStopped) return;
    this.close();
    if (isAnew) this.forget();
    [this.#isStopped, this.#isReady] = [false, false];
    [this.#failures, this.#failure] = [0, null];
    this.open();
    this.#update({});
  }

  /** Tries at once, if it is not connected; after the cast's end there is nothing to try. */
  reconnect(): void {
    if (this.#isOver) return;
    this.restart(false);
    if (this.hub.status.state !== 'connected') this.hub.client.reconnect();
  }

  #update(change: Partial<CastState>): void {
    const { status } = this.hub;
    const isConnected = this.#isReady && !this.#isOver && status.state === 'connected';
    const isFine = isConnected || this.#isOver;
    const error = isFine ? null : (this.#failure ?? status.error);
    const cast = change.cast ?? this.state.cast;
    const attempts = this.#isStopped ? this.state.reconnectCount : Math.max(status.attempt, this.#failures);
    const next: CastState = {
      ...this.state,
      ...change,
      isConnected,
      error,
      reconnectCount: isFine ? 0 : attempts,
      brief: briefOf(cast, isConnected, this.state.brief),
    };
    const names = Object.keys(next) as (keyof CastState)[];
    if (names.some((name) => next[name] !== this.state[name])) this.set(next);
  }
}
