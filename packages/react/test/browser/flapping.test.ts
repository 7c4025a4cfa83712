// A page with fifty followed items through minutes of bad network, restarts and crashes of the server, and a tab that is
// put away: everything is told once, in order, and what is shown is what the server has.
//
// The tab is hidden as tabs are, by another one in front of it, and frozen by what Chromium's developer tools have for
// it; the page is told by the browser itself.
//
// TIDINGS_FLAP_SECONDS says how long (300), TIDINGS_TEST_SEED draws the same faults, pauses and ends again.

import { type HistoryEvent, Server } from '@tidings/testkit';
import type { Page } from 'playwright-core';
import { expect, test } from 'vitest';
import { type Numbers, random } from '../../../client/test/support/random.ts';
import { complaints, signIn, Tabs } from '../support/chromium.ts';
import { figures, until } from '../support/figures.ts';
import { Site } from '../support/site.ts';
import { type CastPlan, type End, Feed } from './feed.ts';
import { LINK_FAULTS, Link } from './link.ts';
import type { BoardSummary, BoardTold } from './pages/board.tsx';

const SECONDS = Number(process.env['TIDINGS_FLAP_SECONDS'] ?? 300);
const SEED = Number(process.env['TIDINGS_TEST_SEED'] ?? Date.now() % 1_000_000);
const RUN = SECONDS * 1000;

const range = (count: number) => Array.from({ length: count }, (_, n) => n);
const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const ENDS: readonly End[] = [...Array(10).fill('complete'), ...Array(5).fill('failed'), ...Array(3).fill('cancelled')];
const CHANNELS = range(13).map((n) => `live:channel-${n}`);
const SNAPSHOTS = range(12).map((n) => `live:record-${n}`);
/** Those of them that come and go. */
const COMING = SNAPSHOTS.slice(8);

/** How often each thing happened, how often with events on their way, and how many. */
class Struck {
  readonly #rows = new Map<string, { times: number; inFlight: number; events: number }>();

  count(name: string, events: number): void {
    const row = this.#rows.get(name) ?? { times: 0, inFlight: 0, events: 0 };
    row.times += 1;
    row.events += events;
    if (events > 0) row.inFlight += 1;
    this.#rows.set(name, row);
  }

  report(names: readonly string[]): void {
    const row = (name: string) => this.#rows.get(name) ?? { times: 0, inFlight: 0, events: 0 };
    const said = names.map((name) => `${name} ${row(name).inFlight}/${row(name).times} (${row(name).events} events)`);
    console.log(`struck with events in flight / struck: ${said.join(', ')}`);
    const missing = names.filter((name) => row(name).inFlight === 0);
    expect(missing, 'these never struck with an event in flight').toEqual([]);
  }
}

interface Rig {
  readonly server: Server;
  readonly link: Link;
  readonly feed: Feed;
  readonly tabs: Tabs;
  readonly page: Page;
  readonly struck: Struck;
  /** What one part of the run draws from: its own numbers, whatever the others do in between. */
  draw(part: number): Numbers;
  readonly isOver: () => boolean;
  /** Waits while the tab is put away: then nothing comes that could be struck. */
  held: Promise<void>;
}

/** Runs something; counts what was published in the meantime, and what waits to be. */
async function during(rig: Rig, name: string, run: () => Promise<void>): Promise<void> {
  const before = rig.feed.taken;
  await run();
  rig.struck.count(name, rig.feed.taken - before + rig.feed.pending);
}

async function flap(rig: Rig): Promise<void> {
  const { link, feed, tabs, struck } = rig;
  const numbers = rig.draw(1);
  let bag: string[] = [];
  while (!rig.isOver()) {
    await rig.held;
    await wait(300 + numbers.next() * 3500);
    if (rig.isOver()) return;
    if (bag.length === 0) bag = [...LINK_FAULTS, 'offline'];
    const [name] = bag.splice(numbers.below(bag.length), 1);
    if (name === 'offline') {
      await during(rig, name, async () => {
        await tabs.context.setOffline(true);
        // What is open stays open by that alone.
        link.cut();
        await wait(1000 + numbers.next() * 4000);
        await tabs.context.setOffline(false);
      });
      continue;
    }
    const fault = LINK_FAULTS.find((one) => one === name);
    if (fault === undefined) continue;
    if (!(await link.strike(fault, 10_000))) continue;
    const before = feed.taken;
    if (fault !== 'cut' && fault !== 'half event') await wait(500 + numbers.next() * 4500);
    link.heal();
    struck.count(fault, 1 + feed.taken - before);
  }
}

async function restart({ server, ...rig }: Rig, shares: readonly [number, 'restart' | 'crash'][]): Promise<void> {
  const began = Date.now();
  const numbers = rig.draw(2);
  for (const [share, how] of shares) {
    await wait(Math.max(0, began + share * RUN - Date.now()));
    await during({ server, ...rig }, how, async () => {
      if (how === 'crash') {
        await server.kill();
        await wait(300 + numbers.next() * 1700);
      }
      await server[how]();
    });
  }
}

/** How many streams the server has open, but for those that it cannot know to be dead; `null` while it is away. */
async function streams({ server, link }: Rig): Promise<number | null> {
  link.bury();
  return figures(server).then(
    (now) => now.streams,
    () => null,
  );
}

/** Puts the tab behind another; frozen, it runs nothing at all. */
async function putAway(rig: Rig, name: 'hidden' | 'frozen', seconds: number): Promise<void> {
  const { page, tabs } = rig;
  let go = () => {};
  rig.held = new Promise((resolve) => {
    go = resolve;
  });
  const other = await tabs.context.newPage();
  await other.bringToFront();
  await until(
    'hidden',
    () => page.evaluate('document.visibilityState'),
    (state) => state === 'hidden',
  );
  await during(rig, name, async () => {
    const control = await tabs.context.newCDPSession(page);
    if (name === 'frozen') await control.send('Page.setWebLifecycleState', { state: 'frozen' });
    await until(
      'no stream',
      () => streams(rig),
      (open) => open === 0,
    );
    await wait(seconds * 1000);
    if (name === 'frozen') await control.send('Page.setWebLifecycleState', { state: 'active' });
    await control.detach();
  });
  await page.bringToFront();
  await other.close();
  await until(
    'visible',
    () => page.evaluate('document.visibilityState'),
    (state) => state === 'visible',
  );
  go();
}

async function putAwayAt(rig: Rig, shares: readonly [number, 'hidden' | 'frozen'][]): Promise<void> {
  const began = Date.now();
  const numbers = rig.draw(3);
  for (const [share, name] of shares) {
    await wait(Math.max(0, began + share * RUN - Date.now()));
    await putAway(rig, name, 2 + numbers.next() * 3);
  }
}

/** Some records' items come and go all the while. */
async function comeAndGo(rig: Rig): Promise<void> {
  const { page, struck, feed } = rig;
  const numbers = rig.draw(4);
  while (!rig.isOver()) {
    // A frozen page answers nothing.
    await rig.held;
    const before = feed.taken;
    await page.evaluate(`window.board.hide(${JSON.stringify(COMING.filter(() => numbers.chance(0.5)))})`);
    // Shorter than what is left lingers, and longer.
    await wait(numbers.next() * 3000);
    struck.count('unmounted', feed.taken - before);
  }
  await page.evaluate('window.board.hide([])');
}

const numbersOf = (events: readonly HistoryEvent[]) => events.map(({ data }) => data.n as number);
const numberOf = ({ data }: HistoryEvent) => Number(data.artifactUrl.split('/').at(-1));

async function compare({ server, page }: Rig, key: string, casts: readonly CastPlan[]): Promise<number> {
  const told = (await page.evaluate('window.board.told()')) as BoardTold;
  const shown = (await page.evaluate('window.board.shown()')) as { [id: string]: string };
  let [events, superseded] = [0, 0];
  for (const channel of [...CHANNELS, ...SNAPSHOTS]) {
    const sent = numbersOf(await server.history(key, channel));
    events += sent.length;
    expect(sent.length).toBeGreaterThan(0);
    const numbers = COMING.includes(channel) ? {} : { numbers: sent };
    expect(told.items[channel], channel).toMatchObject({ ...numbers, gaps: [], errors: [] });
    const sum = sent.reduce((total, n) => total + n, 0);
    if (!SNAPSHOTS.includes(channel)) expect(shown[channel]).toBe(String(sent.at(-1)));
    else {
      expect(told.records[channel], channel).toEqual({ numbers: sent, sum });
      expect(shown[channel]).toBe(`${sent.length} ${sum}`);
    }
  }
  expect(told.castErrors).toEqual({});
  for (const { id, end } of casts) {
    const history = await server.history(key, `cast:${id}`);
    events += history.length;
    const of = (...types: string[]) => history.filter(({ type }) => types.includes(type));
    const item = told.items[id];
    expect(item?.numbers, id).toEqual(of('ARTIFACT_READY').map(numberOf));
    const statuses = of('STATUS_CHANGED', 'STARTED', 'COMPLETED', 'FAILED').map(({ data }) => data.status as string);
    expect(item?.statuses, id).toEqual(statuses.map((status, at) => (at === 0 ? `initial ${status}` : status)));
    const ended = { complete: ['complete 250 false'], failed: ['failed no more false'], cancelled: [] };
    expect(item?.ends, id).toEqual(end === null ? [] : ended[end]);
    // Of progress that waits for one reader the latest is enough.
    const progress = of('PROGRESS_UPDATE').map(({ data }) => data.progress as number);
    expect(progress).toEqual(expect.arrayContaining(item?.progress ?? []));
    expect(item?.progress, id).toEqual([...new Set(item?.progress)].sort((a, b) => a - b));
    expect(item?.progress.at(-1)).toBe(progress.at(-1));
    superseded += progress.length - (item?.progress.length ?? 0);
    const answer = await fetch(`${server.url}/api/casts/${id}`, { headers: { authorization: `Bearer ${key}` } });
    const record = (await answer.json()) as BoardTold['casts'][string];
    // The events of these ends do not say when, nor how long it took.
    const { finishedAt, duration } = told.casts[id] ?? record;
    const known = end === 'failed' || end === 'cancelled' ? { ...record, finishedAt, duration } : record;
    expect(told.casts[id], id).toEqual(known);
    expect(shown[id], id).toBe(`${record.status} ${record.progress ?? undefined} ${record.artifactUrl ?? undefined}`);
  }
  console.log(
    `${events} events of 50 items compared with the server's; ${superseded} of progress superseded on the way`,
  );
  return events;
}

test(`fifty items, ${SECONDS} s, seed ${SEED}`, { timeout: RUN + 180_000 }, async () => {
  console.log(`seed ${SEED}`);
  const draw = (part: number) => random(SEED * 100 + part);
  const site = await Site.start();
  const config = `
    stream.heartbeat = "1s"
    cors.origins = ["${site.origin}"]
    auth.user_grants = ["subscribe:live:*"]
    limits.streams_per_user = 0
    drain.timeout = "2s"
  `;
  const server = await Server.start(config);
  const tabs = await Tabs.launch();
  const link = await Link.start(server.port, '"numbered"');
  const { key } = await server.key();
  const user = await server.user();
  const feed = new Feed({ server, key, owner: user.id, seed: SEED * 100 + 10, pause: 2500 });
  try {
    site.on('/records/*', feed.answer);
    const address = await site.page('board', new URL('pages/board.tsx', import.meta.url).pathname, 'development');
    const page = await tabs.context.newPage();
    const wrong = complaints(page);
    await page.goto(address);
    await signIn(page, server.url, user);

    const numbers = draw(0);
    const casts = range(25).map((n) => ({ id: `cast-${n}`, end: ENDS[n] ?? null, at: 0.5 + numbers.next() * 0.45 }));
    await Promise.all(casts.map(({ id }) => feed.mention(id)));
    await Promise.all(SNAPSHOTS.map((channel) => feed.keep(channel)));
    const ids = casts.map(({ id }) => id);
    const options = {
      url: link.url,
      records: `${site.origin}/records`,
      casts: ids,
      channels: CHANNELS,
      snapshots: SNAPSHOTS,
    };
    await page.evaluate(`window.board.start(${JSON.stringify(options)})`);
    const summary = () => page.evaluate('window.board.summary()') as Promise<BoardSummary>;
    await until('all items', summary, ({ ready }) => ready === 50);
    expect((await figures(server)).streams).toBe(1);

    const end = Date.now() + RUN;
    const struck = new Struck();
    const rig: Rig = {
      server,
      link,
      feed,
      tabs,
      page,
      struck,
      draw,
      isOver: () => Date.now() > end,
      held: Promise.resolve(),
    };
    for (const channel of [...CHANNELS, ...SNAPSHOTS]) feed.channel(channel);
    for (const cast of casts) feed.cast(cast, RUN);
    await Promise.all([
      flap(rig),
      restart(rig, [
        [0.1, 'restart'],
        [0.3, 'crash'],
        [0.5, 'restart'],
        [0.72, 'crash'],
        [0.88, 'restart'],
      ]),
      putAwayAt(rig, [
        [0.2, 'hidden'],
        [0.6, 'frozen'],
      ]),
      comeAndGo(rig),
    ]);
    link.heal();
    await feed.stop();

    const all = await Promise.all([...CHANNELS, ...SNAPSHOTS].map((channel) => server.history(key, channel)));
    const artifacts = await Promise.all(ids.map((id) => server.history(key, `cast:${id}`)));
    const sent = all.flat().length + artifacts.flat().filter(({ type }) => type === 'ARTIFACT_READY').length;
    const isAll = (now: BoardSummary) => now.numbers >= sent && now.state === 'connected';
    // What did not come is said by the comparison.
    await until('all events', summary, isAll, 60_000).catch((late) => console.log(late.message));
    // Statuses and progress are not counted in that; they are there a frame later.
    await wait(1000);
    await compare(rig, key, casts);
    expect(wrong).toEqual([]);
    await until(
      'one stream',
      () => streams(rig),
      (open) => open === 1,
    );
    console.log(
      `connections shown by transport: ${JSON.stringify(await page.evaluate('window.board.transports()'))}; connections refused or unanswered: ${link.refused}`,
    );
    struck.report([...LINK_FAULTS, 'offline', 'restart', 'crash', 'hidden', 'frozen', 'unmounted']);
  } finally {
    feed.abort();
    await link.stop();
    await tabs.stop();
    await server.stop();
    await site.stop();
  }
});
