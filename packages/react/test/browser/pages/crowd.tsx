// A page with a thousand components, each of which follows one of two hundred channels while it is mounted.

import type { Event } from '@tidings/client';
import { TidingsProvider, useChannel, useConnectionStatus } from '@tidings/react';
import { StrictMode, useSyncExternalStore } from 'react';
import { createRoot, type Root } from 'react-dom/client';
import { Follower } from '../../../../client/src/follower.ts';
import { Ledger } from '../../../../client/src/ledger.ts';
import { Listener, Store } from '../../../src/store.ts';

export interface CrowdOptions {
  readonly url: string;
  readonly channels: number;
  readonly isStrict: boolean;
}

export interface CrowdTold {
  /** Ids of events in the order in which the first component of each channel was told them. */
  readonly ids: readonly string[];
  /** What each component was told, as numbers, in order. */
  readonly numbers: { readonly [component: number]: readonly number[] };
  /** Of components. */
  readonly renders: number;
  /** Of the document, by React. */
  readonly commits: number;
  readonly gaps: number;
  /** When the first and the last event was told. */
  readonly first: number;
  readonly last: number;
}

export interface CrowdCounts {
  readonly state: string;
  /** What the client's ledger has: subscriptions, and channels. */
  readonly followers: number;
  readonly channels: number;
  /** Components in the document. */
  readonly shown: number;
  readonly ready: number;
  readonly told: number;
}

// The subscriptions of every client of this page, by what the client itself keeps.
const followers = new Set<{ readonly channels: ReadonlySet<string> }>();
const { add, remove } = Ledger.prototype;
Ledger.prototype.add = function (follower) {
  followers.add(follower);
  add.call(this, follower);
};
Ledger.prototype.remove = function (follower) {
  followers.delete(follower);
  remove.call(this, follower);
};

let mounted: readonly number[] = [];
const watchers = new Set<() => void>();
const watch = (watcher: () => void) => {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
};

const nothing = () => ({
  ids: [] as string[],
  numbers: {} as { [component: number]: number[] },
  renders: 0,
  gaps: 0,
  first: 0,
  last: 0,
});
let told = nothing();
let count = 0;
let state = 'idle';

function One({ at, channels }: { at: number; channels: number }) {
  told.renders += 1;
  const { isReady, lastEvent } = useChannel<{ n: number }>(`crowd:${at % channels}`, {
    onEvent: ({ id, data }: Event<{ n: number }>) => {
      count += 1;
      told.last = performance.now();
      told.first ||= told.last;
      if (at < channels) told.ids.push(id);
      told.numbers[at] ??= [];
      told.numbers[at].push(data.n);
    },
    onGap: () => {
      told.gaps += 1;
    },
  });
  return (
    <i id={`one-${at}`} data-ready={isReady}>
      {lastEvent?.data.n}
    </i>
  );
}

function Crowd({ channels }: { channels: number }) {
  const present = useSyncExternalStore(watch, () => mounted);
  return present.map((at) => <One key={at} at={at} channels={channels} />);
}

function Connection() {
  state = useConnectionStatus().state;
  return <p>{state}</p>;
}

/** What tests of waiting click on, as somebody at the page would. */
function Button() {
  const click = ({ timeStamp }: { timeStamp: number }) => waits.push(performance.now() - timeStamp);
  return (
    <button type="button" id="button" onClick={(event) => click(event.nativeEvent)}>
      here
    </button>
  );
}

let waits: number[] = [];
let tasks: number[] = [];
let root: Root | undefined;

const crowd = {
  start({ url, channels, isStrict }: CrowdOptions) {
    const all = (
      <TidingsProvider url={url} credentials="include" backoff={{ initial: 50, max: 500 }} linger={300}>
        <Button />
        <Connection />
        <Crowd channels={channels} />
      </TidingsProvider>
    );
    root = createRoot(document.getElementById('root') as HTMLElement);
    root.render(isStrict ? <StrictMode>{all}</StrictMode> : all);
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) tasks.push(duration);
    }).observe({ type: 'longtask' });
  },
  mount(components: readonly number[]) {
    mounted = components;
    for (const watcher of watchers) watcher();
  },
  counts(): CrowdCounts {
    const channels = new Set([...followers].flatMap((follower) => [...follower.channels]));
    const shown = document.querySelectorAll('i').length;
    const ready = document.querySelectorAll('i[data-ready=true]').length;
    return { state, followers: followers.size, channels: channels.size, shown, ready, told: count };
  },
  told: (): CrowdTold => ({ ...told, commits: window.commits }),
  shown(): { [id: string]: string } {
    return Object.fromEntries([...document.querySelectorAll('i')].map(({ id, textContent }) => [id, textContent]));
  },
  forget() {
    told = nothing();
    [count, window.commits] = [0, 0];
    [waits, tasks] = [[], []];
  },
  /** What there must be no more of than is mounted: hooks, what they follow, and the client's subscriptions. */
  kinds: { hooks: Listener.prototype, stores: Store.prototype, subscriptions: Follower.prototype },
  waits: () => waits,
  tasks: () => tasks,
  end: () => root?.unmount(),
};

declare global {
  interface Window {
    crowd: typeof crowd;
    /** Counted by what React takes for its developer tools, which is there before React is. */
    commits: number;
  }
}
window.crowd = crowd;
