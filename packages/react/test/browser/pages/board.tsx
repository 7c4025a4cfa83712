// A page that follows casts, channels and records, and remembers everything that it is told.

import type { Event } from '@tidings/client';
import type { Cast } from '@tidings/client/casts';
import { TidingsProvider, useCastEvents, useCasts, useChannel, useConnectionStatus, useSnapshot } from '@tidings/react';
import { StrictMode, useSyncExternalStore } from 'react';
import { createRoot } from 'react-dom/client';

export interface BoardOptions {
  readonly url: string;
  /** Where the test keeps the records. */
  readonly records: string;
  readonly casts: readonly string[];
  readonly channels: readonly string[];
  readonly snapshots: readonly string[];
}

/** What one item was told, in its order. */
export interface ItemTold {
  /** Numbers of events; of casts the artifacts'. */
  readonly numbers: number[];
  readonly progress: number[];
  readonly statuses: string[];
  readonly ends: string[];
  readonly gaps: string[];
  readonly errors: string[];
}

export interface Numbered {
  readonly n: number;
}

/** The record of a channel: every number, and their sum. */
export interface Tally {
  readonly numbers: readonly number[];
  readonly sum: number;
}

export interface BoardTold {
  readonly items: { readonly [name: string]: ItemTold };
  readonly records: { readonly [channel: string]: Tally | undefined };
  readonly casts: { readonly [id: string]: Cast };
  readonly castErrors: { readonly [id: string]: string };
}

export interface BoardSummary {
  readonly state: string;
  readonly transport: string | null;
  readonly ready: number;
  readonly numbers: number;
}

const items: { [name: string]: ItemTold } = {};
const records: { [channel: string]: Tally | undefined } = {};
const ready = new Set<string>();
let casts: Readonly<{ [id: string]: Cast }> = {};
let castErrors: Readonly<{ [id: string]: Error }> = {};
let connection: { state: string; transport: string | null } = { state: 'idle', transport: null };
const transports: { [name: string]: number } = {};

function told(name: string): ItemTold {
  items[name] ??= { numbers: [], progress: [], statuses: [], ends: [], gaps: [], errors: [] };
  return items[name];
}

function mark(name: string, isReady: boolean): void {
  if (isReady) ready.add(name);
  else ready.delete(name);
}

function numberOf(url: string | null | undefined): number {
  return Number(url?.split('/').at(-1) ?? -1);
}

function CastItem({ id }: { id: string }) {
  const item = told(id);
  const { isConnected, lastEvent, lastUpdate, error } = useCastEvents(
    { castId: id },
    {
      onStatus: ({ status }, { isInitial }) => item.statuses.push(isInitial ? `initial ${status}` : status),
      onProgress: ({ progress }, { isInitial }) => void (isInitial || item.progress.push(progress)),
      onArtifact: ({ artifactUrl }, { isInitial }) => void (isInitial || item.numbers.push(numberOf(artifactUrl))),
      onComplete: ({ costCents }, { isInitial }) => item.ends.push(`complete ${costCents} ${isInitial}`),
      onError: ({ errorMessage }, { isInitial }) => item.ends.push(`failed ${errorMessage} ${isInitial}`),
    },
  );
  mark(id, isConnected);
  const shown = `${lastEvent?.status} ${lastEvent?.progress} ${lastEvent?.artifactUrl}`;
  return (
    <li id={id} data-error={error?.message} data-updated={lastUpdate !== null}>
      {shown}
    </li>
  );
}

function ChannelItem({ channel }: { channel: string }) {
  const item = told(channel);
  const { isReady, lastEvent } = useChannel<Numbered>(channel, {
    onEvent: ({ data }) => void item.numbers.push(data.n),
    onGap: ({ reason }) => void item.gaps.push(reason),
    onError: (error) => void item.errors.push(error.message),
  });
  mark(channel, isReady);
  return <li id={channel}>{lastEvent?.data.n}</li>;
}

const apply = ({ numbers, sum }: Tally, { data }: Event<Numbered>): Tally => ({
  numbers: [...numbers, data.n],
  sum: sum + data.n,
});

function SnapshotItem({ channel, at }: { channel: string; at: string }) {
  const item = told(channel);
  const { data, isReady } = useSnapshot<Tally, Numbered>(
    (signal) => fetch(`${at}/${encodeURIComponent(channel)}`, { signal, cache: 'no-store' }),
    channel,
    apply,
    {
      onEvent: ({ data: { n } }) => void item.numbers.push(n),
      onGap: ({ reason }) => void item.gaps.push(reason),
    },
  );
  records[channel] = data;
  mark(channel, isReady);
  return (
    <li id={channel}>
      {data?.numbers.length} {data?.sum}
    </li>
  );
}

/** Which of the records are not shown for now. */
let away: ReadonlySet<string> = new Set();
const watchers = new Set<() => void>();

function watch(watcher: () => void) {
  watchers.add(watcher);
  return () => watchers.delete(watcher);
}

function Records({ channels, at }: { channels: readonly string[]; at: string }) {
  const hidden = useSyncExternalStore(watch, () => away);
  const shown = channels.filter((channel) => !hidden.has(channel));
  return shown.map((channel) => <SnapshotItem key={channel} channel={channel} at={at} />);
}

function Overview({ ids }: { ids: readonly string[] }) {
  const all = useCasts(ids);
  casts = all.casts;
  castErrors = all.errors;
  return <p id="overview">{Object.values(casts).filter(({ status }) => status === 'succeeded').length}</p>;
}

function Connection() {
  const status = useConnectionStatus();
  connection = status;
  if (status.state === 'connected' && status.transport !== null) {
    transports[status.transport] = (transports[status.transport] ?? 0) + 1;
  }
  return <p id="state">{status.state}</p>;
}

function Board({ url, casts: ids, channels, snapshots, records: at }: BoardOptions) {
  return (
    <StrictMode>
      <TidingsProvider
        url={url}
        credentials="include"
        backoff={{ initial: 100, max: 2000 }}
        heartbeat={1000}
        openTimeout={4000}
        restoreAfter={5000}
        suspendAfter={3000}
      >
        <Connection />
        <Overview ids={ids} />
        <ul>
          {ids.map((id) => (
            <CastItem key={id} id={id} />
          ))}
          {channels.map((channel) => (
            <ChannelItem key={channel} channel={channel} />
          ))}
          <Records channels={snapshots} at={at} />
        </ul>
      </TidingsProvider>
    </StrictMode>
  );
}

const board = {
  start(options: BoardOptions) {
    createRoot(document.getElementById('root') as HTMLElement).render(<Board {...options} />);
  },
  summary(): BoardSummary {
    const count = (name: string, { numbers }: ItemTold) => records[name]?.numbers.length ?? numbers.length;
    const numbers = Object.entries(items).reduce((sum, [name, item]) => sum + count(name, item), 0);
    return { state: connection.state, transport: connection.transport, ready: ready.size, numbers };
  },
  told(): BoardTold {
    const errors = Object.entries(castErrors).map(([id, error]) => [id, error.message]);
    return { items, records, casts, castErrors: Object.fromEntries(errors) };
  },
  /** Unmounts the items of these records, and mounts all others. */
  hide(channels: readonly string[]) {
    for (const channel of channels) {
      mark(channel, false);
      delete records[channel];
    }
    away = new Set(channels);
    for (const watcher of watchers) watcher();
  },
  transports: () => transports,
  shown(): { [id: string]: string } {
    return Object.fromEntries([...document.querySelectorAll('li')].map(({ id, textContent }) => [id, textContent]));
  },
};

declare global {
  interface Window {
    board: typeof board;
  }
}
window.board = board;
