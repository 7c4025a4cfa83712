// The moves from one state to another, shared by the inputs.

import { earlier, type Since } from '../cursor.ts';
import { type Failure, failure } from '../failure.ts';
import type { Cursor } from '../wire/generated.ts';
import type { Place, State, Timer } from './state.ts';
import type { Effect, Input } from './step.ts';

type Open<T> = { -readonly [K in keyof T]: T[K] };

/** A step under way: a copy of the state, which is changed freely, and the effects so far. */
export interface Draft {
  readonly state: Open<State>;
  readonly effects: Effect[];
  readonly input: Input;
}

/** Most entries of one change, as the server takes them. */
const CHANGE_ENTRIES = 1000;
/** A transport whose streams end this often in a row before the first heartbeat does not get through. */
const STRIKES = 3;
/** A transport is tried again after this long at the latest. */
const LONGEST_BAR = 3_600_000;
/** Codes that concern one channel, which may not be named. */
const OF_A_CHANNEL = ['forbidden_channel', 'invalid_channel', 'too_many_channels'];

export function setTimer({ state }: Draft, timer: Timer, at: number | null) {
  const { [timer]: _, ...rest } = state.timers;
  state.timers = at === null ? rest : { ...rest, [timer]: at };
}

/** Leaves the timers of the state that is left; that of a hidden page stays. */
function onlyTimers({ state }: Draft, timers: State['timers']) {
  const { hide } = state.timers;
  state.timers = hide === undefined ? timers : { ...timers, hide };
}

/** Closes what is open. */
export function leave({ state, effects }: Draft) {
  if (state.name === 'live' || state.name === 'opening') effects.push({ type: 'stop' });
}

export function watchdog({ config, interval }: State): number {
  // Two heartbeats that come at once after a stall must not teach that they come all the time.
  return config.watchdog ?? 2.5 * Math.max(interval, Math.min(config.heartbeat, 1000));
}

/** Nobody follows anything: what was known is of no use later. */
export function rest(draft: Draft) {
  leave(draft);
  const { state } = draft;
  Object.assign(state, { name: 'idle', cursor: null, attempt: 0, error: null, nextAt: null, timers: {}, bare: false });
  draft.effects.push({ type: 'forget' });
}

export function clearBars({ state }: Draft) {
  state.bars = state.bars.map(() => ({ until: 0, length: 0 }));
}

/** Where a channel begins on a new stream. */
function placeAnew(place: Place, cursor: Cursor | null): Place {
  const since = cursor !== null && (place.phase === 'joined' || place.since === 'now') ? cursor : place.since;
  return { since, phase: 'wanted', isThere: false };
}

export function open(draft: Draft, { quiet = false, fresh = false } = {}) {
  const { state, effects, input } = draft;
  if (state.channels.size === 0) return rest(draft);
  const free = state.bars.findIndex(({ until }) => until <= input.now);
  state.transport = Math.max(free, 0);
  state.channels = new Map([...state.channels].map(([name, place]) => [name, placeAnew(place, state.cursor)]));
  const all = [...state.channels.keys()];
  const first = state.bare ? 'now' : (state.channels.values().next().value?.since ?? 'now');
  const since: Since = state.cursor ?? first;
  const channels = state.bare ? [] : all.filter((name) => state.channels.get(name)?.since === since);
  Object.assign(state, {
    name: 'opening',
    asked: since,
    steady: false,
    changing: false,
    asks: new Map(),
    group: [],
    dropping: new Map(),
    doubt: false,
    pinged: null,
    nextAt: null,
    held: false,
    quiet,
  });
  onlyTimers(draft, { open: input.now + state.config.openTimeout });
  if (state.isHidden && state.timers.hide === undefined) setTimer(draft, 'hide', input.now + state.config.suspendAfter);
  effects.push({ type: 'open', transport: state.transport, channels, all, since, fresh });
}

/**
 * The time until the next attempt: drawn under a doubling limit, and at least as long as the server says. What `$end` says
 * (`status` is of refusals) is spread already, and counts as it is the first time.
 */
export function delay({ state, input }: Draft, { after = 0, status }: Partial<Failure>): number {
  const { initial, max } = state.config;
  if (after > 0 && status === undefined && state.attempt === 0) return after;
  return Math.max(after, input.draw * Math.min(max, initial * 2 ** Math.min(state.attempt, 30)));
}

/** Waits for the next attempt: full jitter under a doubling limit, or as long as the server says. */
export function wait(draft: Draft, why: Failure) {
  const { state, input } = draft;
  const { max, attempts } = state.config;
  if (state.attempt >= attempts) return halt(draft, 'refused', why);
  const time = state.isOffline ? Math.max(max, why.after ?? 0) : delay(draft, why);
  state.attempt += 1;
  state.held = why.after !== undefined;
  state.name = state.isOffline ? 'offline' : 'waiting';
  state.error = why;
  state.nextAt = input.now + time;
  onlyTimers(draft, { retry: state.nextAt });
}

export function halt({ state }: Draft, name: 'refused' | 'ended', error: Failure | null) {
  Object.assign(state, { name, error, nextAt: null, timers: {} });
}

/** Another transport; where none is left, all of them again after a while. */
function bar(draft: Draft, why: Failure) {
  const { state, input } = draft;
  state.strikes = 0;
  state.bars = state.bars.map((old, index) => {
    if (index !== state.transport) return old;
    const length = Math.min(old.length === 0 ? state.config.restoreAfter : old.length * 2, LONGEST_BAR);
    return { until: input.now + length, length };
  });
  if (state.bars.some(({ until }) => until <= input.now)) {
    open(draft);
    state.error = why;
    return;
  }
  clearBars(draft);
  wait(draft, why);
}

/** Acts on a stream that failed or was refused, and is closed. */
export function fail(draft: Draft, why: Failure) {
  const { state, effects } = draft;
  switch (why.kind) {
    case 'network':
      if (state.name === 'live' && !state.steady) state.strikes += 1;
      return state.strikes >= STRIKES && state.bars.length > 1 ? bar(draft, why) : wait(draft, why);
    case 'blocked':
      return bar(draft, why);
    case 'busy':
      return wait(draft, why);
    case 'auth':
      if (!state.config.canRenew || state.fresh) return halt(draft, 'refused', why);
      state.fresh = true;
      return open(draft, { fresh: true });
    case 'forbidden':
      if (why.at !== undefined && state.channels.has(why.at)) {
        drop(draft, why.at);
        effects.push({ type: 'refuse', channel: why.at, code: why.code });
        return open(draft);
      }
      if (state.bare || !OF_A_CHANNEL.includes(why.code)) return halt(draft, 'refused', why);
      state.bare = true;
      return open(draft);
    case 'long':
      if (state.bare) return wait(draft, why);
      state.bare = true;
      return open(draft);
    case 'gone':
      return halt(draft, 'ended', why);
    default:
      // At once, but not again and again.
      if (state.attempt > 0 && !state.steady) return wait(draft, why);
      state.attempt += 1;
      return open(draft, { quiet: true });
  }
}

/** Opens a stream in the place of the one that runs. */
export function replace(draft: Draft): void {
  leave(draft);
  open(draft, { quiet: true });
}

export function drop({ state }: Draft, channel: string) {
  const channels = new Map(state.channels);
  channels.delete(channel);
  state.channels = channels;
}

export function setPhase(
  { state }: Draft,
  names: Iterable<string>,
  from: Place['phase'],
  to: Place['phase'],
): string[] {
  const channels = new Map(state.channels);
  const moved: string[] = [];
  for (const name of names) {
    const place = channels.get(name);
    if (place?.phase !== from) continue;
    channels.set(name, { ...place, phase: to, isThere: place.isThere || to === 'joined' });
    moved.push(name);
  }
  state.channels = channels;
  return moved;
}

/** Asks the live stream for what is wanted of it and not asked for yet. */
export function settle(draft: Draft) {
  const { state, effects, input } = draft;
  if (state.name !== 'live') return;
  setTimer(draft, 'linger', state.channels.size === 0 ? input.now + state.config.linger : null);
  if (state.changing || state.doubt) return;
  const wanted = [...state.channels].filter(([, place]) => place.phase === 'wanted').slice(0, CHANGE_ENTRIES);
  const remove = [...state.dropping.keys()].slice(0, CHANGE_ENTRIES);
  if (wanted.length === 0 && remove.length === 0) return;
  const add = wanted.map(([channel, { since }]) => (since === 'now' ? { channel } : { channel, since }));
  const names = add.map(({ channel }) => channel);
  setPhase(draft, names, 'wanted', 'asked');
  const asks = new Map(state.asks);
  for (const name of names) asks.set(name, (asks.get(name) ?? 0) + 1);
  state.asks = asks;
  state.dropping = new Map([...state.dropping].slice(CHANGE_ENTRIES));
  state.changing = true;
  effects.push({ type: 'change', add, remove });
}

/** What comes just now does not begin where the channel is wanted from. */
function ungroup({ state, effects }: Draft, channel: string) {
  if (!state.group.includes(channel)) return;
  state.group = state.group.filter((name) => name !== channel);
  effects.push({ type: 'subscribed', channels: state.group });
}

/** Follows what is to be followed from now on; answers whether anything changed. */
export function want(draft: Draft, add: readonly { channel: string; since: Since }[], remove: readonly string[]) {
  const { state, effects } = draft;
  const channels = new Map(state.channels);
  const dropping = new Map(state.dropping);
  const kept: string[] = [];
  for (const { channel, since } of add) {
    const place = channels.get(channel);
    if (place === undefined) {
      const isThere = dropping.get(channel) === true;
      dropping.delete(channel);
      const stays = isThere && since === 'now';
      channels.set(channel, { since, phase: stays ? 'joined' : 'wanted', isThere });
      if (stays) kept.push(channel);
    } else if (since !== 'now') {
      // The stream has the channel from its own position on, at the latest.
      const own = place.phase === 'joined' ? (state.cursor ?? 'now') : place.since;
      channels.set(channel, { ...place, since: earlier(own, since), phase: 'wanted' });
      ungroup(draft, channel);
    }
  }
  for (const channel of remove) {
    const place = channels.get(channel);
    channels.delete(channel);
    ungroup(draft, channel);
    if (state.name !== 'live' || place === undefined) continue;
    if (place.isThere || place.phase === 'asked') dropping.set(channel, place.isThere);
  }
  state.channels = channels;
  state.dropping = dropping;
  if (kept.length > 0 && state.cursor !== null)
    effects.push({ type: 'joined', channels: kept, position: state.cursor });
}

/** Begins everything again after an earlier place, or one that is earlier still: all channels after the same. */
export function rewind({ state }: Draft, to: Since): void {
  let since = state.cursor === null ? to : earlier(to, state.cursor);
  for (const place of state.channels.values()) if (place.phase !== 'joined') since = earlier(since, place.since);
  const back: Place = { since, phase: 'wanted', isThere: false };
  state.channels = new Map([...state.channels.keys()].map((name) => [name, back]));
  state.cursor = null;
}

export const silence = failure('network', 'silent', 'no sign of life for too long');
export const timeout = failure('blocked', 'timeout', 'it did not begin in time');
