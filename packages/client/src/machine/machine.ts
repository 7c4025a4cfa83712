// The connection as a pure state machine: a state and an input give the next state and effects.
//
// Nothing here waits, draws or sends. TABLE.md is the specification: every state with every input; a test holds the two
// together. Inputs of a stream that is no longer open never get here: whoever runs the machine drops them.

import { isCursor } from '../cursor.ts';
import type { Cursor } from '../wire/generated.ts';
import {
  clearBars,
  type Draft,
  delay,
  drop,
  fail,
  halt,
  leave,
  open,
  replace,
  rest,
  rewind,
  setPhase,
  setTimer,
  settle,
  silence,
  timeout,
  want,
  watchdog,
} from './moves.ts';
import type { Name, State, Timer } from './state.ts';
import type { Happening, Input, Step } from './step.ts';

type Of<T extends Happening['type']> = Extract<Happening, { readonly type: T }>;
type Handlers = { readonly [T in Happening['type']]: (draft: Draft, input: Of<T>) => void };

/** Takes one step. */
export function machine(state: State, input: Input): Step {
  const draft: Draft = { state: { ...state }, effects: [], input };
  if (!state.isClosed) (handlers[input.type] as (draft: Draft, input: Happening) => void)(draft, input);
  return draft;
}

function isIn({ state }: Draft, ...names: Name[]): boolean {
  return names.includes(state.name);
}

function hear({ state, input }: Draft, id: Cursor | undefined): void {
  state.heard = input.now;
  // While the server has yet to say what is lost, an id would hide it from the next stream.
  if (id !== undefined && !state.doubt) state.cursor = id;
}

/** For the inputs that only a live stream gives. */
function live<T extends Happening>(act: (draft: Draft, input: T) => void): (draft: Draft, input: T) => void {
  return (draft, input) => {
    if (draft.state.name !== 'live') return;
    hear(draft, 'id' in input ? (input.id as Cursor | undefined) : undefined);
    act(draft, input);
  };
}

const timers: { readonly [timer in Timer]: (draft: Draft) => void } = {
  open: (draft) => {
    leave(draft);
    fail(draft, timeout);
  },
  watch: (draft) => {
    const { state, input } = draft;
    const due = state.heard + watchdog(state);
    if (due > input.now) return setTimer(draft, 'watch', due);
    leave(draft);
    // A timer that comes as late as this slept with the machine: the stream did not fail, it is just over.
    if (input.now - due > state.interval) return open(draft);
    // Perhaps the server's heartbeat is slower than thought.
    if (!state.steady) state.interval = Math.min(state.interval * 2, 10 * state.config.heartbeat);
    fail(draft, silence);
  },
  retry: (draft) => open(draft),
  probe: (draft) => {
    const { state, effects, input } = draft;
    const better = state.bars.findIndex(({ until }, index) => until <= input.now && index < state.transport);
    if (better >= 0) effects.push({ type: 'probe', transport: better });
    else planProbe(draft);
  },
  hide: (draft) => {
    leave(draft);
    Object.assign(draft.state, { name: 'suspended', timers: {}, nextAt: null });
  },
  linger: (draft) => {
    if (draft.state.channels.size === 0) rest(draft);
  },
  change: (draft) => replace(draft),
  renew: ({ effects }) => {
    effects.push({ type: 'renew' });
  },
};

/** The stream carries these channels, from wherever. */
function markThere({ state }: Draft, names: readonly string[]): void {
  const channels = new Map(state.channels);
  for (const name of names) {
    const place = channels.get(name);
    if (place !== undefined) channels.set(name, { ...place, isThere: true });
  }
  state.channels = channels;
}

/** One asking for these channels is over. */
function answered({ state }: Draft, names: readonly string[]): void {
  const asks = new Map(state.asks);
  for (const name of names) {
    const left = (asks.get(name) ?? 1) - 1;
    if (left > 0) asks.set(name, left);
    else asks.delete(name);
  }
  state.asks = asks;
}

/** When to look whether a better transport works again. */
function planProbe(draft: Draft): void {
  const { bars, transport } = draft.state;
  const until = bars.slice(0, transport).map((bar) => bar.until);
  if (until.length > 0) setTimer(draft, 'probe', Math.max(Math.min(...until), draft.input.now));
}

function onUnknown(draft: Draft, input: Of<'reset'>, id: Cursor): void {
  const { state, effects } = draft;
  state.doubt = false;
  state.cursor = id;
  const channels = [...state.channels.keys()];
  const joined = channels.filter((name) => state.channels.get(name)?.phase === 'joined');
  state.channels = new Map(
    [...state.channels].map(([name, place]) => [name, place.phase === 'joined' ? place : { ...place, since: 'now' }]),
  );
  effects.push({ type: 'forget' }, { type: 'gap', reset: { ...input.reset, channels }, position: null });
  effects.push({ type: 'opened', channels: joined, position: id });
  settle(draft);
}

const handlers: Handlers = {
  want: (draft, input) => {
    const { state } = draft;
    want(draft, input.add, input.remove);
    if (input.again !== undefined && isIn(draft, 'opening', 'live')) {
      if (input.again !== null) rewind(draft, input.again);
      if (state.channels.size > 0) return replace(draft);
    }
    if (isIn(draft, 'live')) return settle(draft);
    if (state.channels.size === 0 && isIn(draft, 'opening', 'waiting', 'offline', 'suspended', 'refused')) {
      return rest(draft);
    }
    if (state.channels.size > 0 && isIn(draft, 'idle')) open(draft);
  },

  ready: (draft, input) => {
    const { state, effects } = draft;
    if (!isIn(draft, 'opening')) return;
    Object.assign(state, { name: 'live', quiet: false, error: null, fresh: false, wasLive: true });
    state.doubt = isCursor(state.asked) && !input.resumed;
    hear(draft, input.id);
    const watch = draft.input.now + watchdog(state);
    const { hide } = state.timers;
    state.timers = hide === undefined ? { watch } : { watch, hide };
    planProbe(draft);
    markThere(draft, input.channels);
    // One that has come to be wanted from further back meanwhile is still to be added.
    const begun = input.channels.filter((name) => state.channels.get(name)?.since === state.asked);
    const channels = setPhase(draft, begun, 'wanted', 'joined');
    if (!state.doubt) effects.push({ type: 'opened', channels, position: input.id });
    // What nobody has followed any more since it was asked for.
    state.dropping = new Map(input.channels.filter((name) => !state.channels.has(name)).map((name) => [name, true]));
    settle(draft);
  },

  event: live(({ effects }, { event, id, size }) => {
    effects.push({ type: 'event', event, isLive: id !== undefined, size });
  }),

  ping: live(({ state, input }) => {
    if (state.pinged !== null) {
      const heard = input.now - state.pinged;
      state.interval = Math.min(Math.max(heard, state.steady ? state.interval * 0.9 : 0), 10 * state.config.heartbeat);
    }
    Object.assign(state, { pinged: input.now, steady: true, attempt: 0, strikes: 0 });
  }),

  sign: live(() => {}),

  subscribed: live(({ state, effects }, { channels }) => {
    // What comes of an earlier asking begins elsewhere.
    const isLast = (name: string) => state.channels.get(name)?.phase === 'asked' && state.asks.get(name) === 1;
    state.group = channels.filter(isLast);
    effects.push({ type: 'subscribed', channels: state.group });
  }),

  joined: live((draft, { channels, id }) => {
    const { state, effects } = draft;
    const joined = setPhase(draft, state.group, 'asked', 'joined');
    answered(draft, channels);
    markThere(draft, channels);
    state.group = [];
    const position = id ?? state.cursor;
    if (position !== null) effects.push({ type: 'joined', channels: joined, position });
    settle(draft);
  }),

  reset: (draft, input) => {
    const { state, effects } = draft;
    if (!isIn(draft, 'live')) return;
    const position = state.cursor;
    hear(draft, undefined);
    // An EventSource does not show an id that is the last one's.
    const id = input.id ?? (state.doubt ? input.reset.through : null);
    if (input.reset.reason === 'unknown' && id !== null) return onUnknown(draft, input, id);
    hear(draft, input.id);
    effects.push({ type: 'gap', reset: input.reset, position });
    if (input.reset.reason === 'unauthorized') {
      for (const channel of input.reset.channels) drop(draft, channel);
      if (state.channels.size === 0) rest(draft);
      return;
    }
    // A beginning that the log does not know is none; the stream's own position stands for it.
    if (input.reset.reason === 'unknown') {
      const lost = input.reset.channels.filter((name) => state.channels.get(name)?.phase === 'asked');
      const channels = new Map(state.channels);
      for (const name of lost) channels.set(name, { since: 'now', phase: 'asked', isThere: false });
      state.channels = channels;
    }
  },

  expiring: live((draft, { left }) => {
    const { state, input } = draft;
    // Not at once: one that is good for less than the notice is told of again as soon as it is presented.
    if (state.config.canRenew) setTimer(draft, 'renew', input.now + Math.min(Math.max(left / 2, 500), 30_000));
  }),

  end: (draft, { id, failure }) => {
    if (!isIn(draft, 'opening', 'live')) return;
    if (isIn(draft, 'live')) hear(draft, id);
    leave(draft);
    fail(draft, failure);
  },

  closed: (draft, input) => {
    if (isIn(draft, 'opening', 'live')) fail(draft, input.failure);
  },

  changed: (draft, { refused }) => {
    const { state, effects } = draft;
    if (!isIn(draft, 'live')) return;
    state.changing = false;
    answered(
      draft,
      refused.map(({ channel }) => channel),
    );
    for (const { channel, code } of refused) {
      if (!state.channels.has(channel)) continue;
      drop(draft, channel);
      effects.push({ type: 'refuse', channel, code });
      state.bare = false;
    }
    settle(draft);
  },

  unchanged: (draft, input) => {
    if (!isIn(draft, 'live')) return;
    const { kind } = input.failure;
    if (kind === 'auth') {
      leave(draft);
      return fail(draft, input.failure);
    }
    if (kind !== 'network' && kind !== 'busy') return replace(draft);
    // Whether it was carried out is open; a stream that is opened anew knows. Nothing is asked for until then.
    setTimer(draft, 'change', draft.input.now + delay(draft, input.failure));
  },

  renewed: (draft, input) => {
    if (!isIn(draft, 'live') || input.failure === null) return;
    const { kind } = input.failure;
    // It is good, but for a stream of its own.
    if (kind === 'forbidden') return replace(draft);
    // Another refusal is final: the stream says how it ends.
    if (kind !== 'network' && kind !== 'busy') return;
    setTimer(draft, 'renew', draft.input.now + delay(draft, input.failure));
  },

  probed: (draft, { transport, works }) => {
    const { state, input } = draft;
    const length = works ? 0 : Math.min((state.bars[transport]?.length ?? 0) * 2, 3_600_000);
    const bar = { until: works ? 0 : input.now + length, length };
    state.bars = state.bars.map((old, index) => (index === transport ? bar : old));
    if (!isIn(draft, 'live')) return;
    if (works && transport < state.transport) return replace(draft);
    planProbe(draft);
  },

  timer: (draft, { timer }) => {
    setTimer(draft, timer, null);
    if (isIn(draft, ...TIMED[timer])) timers[timer](draft);
  },

  online: (draft) => {
    const { state } = draft;
    const wasOffline = state.isOffline;
    state.isOffline = false;
    // Another network lets through what this one did not.
    clearBars(draft);
    if (isIn(draft, 'offline') || (isIn(draft, 'waiting') && !state.held)) {
      state.attempt = 0;
      return open(draft);
    }
    if (isIn(draft, 'live') && wasOffline) replace(draft);
  },

  offline: (draft) => {
    draft.state.isOffline = true;
    // What the browser says is believed once a connection is lost: a server on this very machine needs no network.
    if (!isIn(draft, 'waiting')) return;
    draft.state.name = 'offline';
  },

  visible: (draft) => {
    const { state, input } = draft;
    state.isHidden = false;
    setTimer(draft, 'hide', null);
    if (isIn(draft, 'suspended') || (isIn(draft, 'waiting', 'offline') && !state.held)) return open(draft);
    // Timers of a page that was away come late, so that the watchdog may not have looked.
    if (isIn(draft, 'live') && input.now - state.heard > 1.25 * state.interval) replace(draft);
  },

  hidden: (draft) => {
    const { state, input } = draft;
    state.isHidden = true;
    if (isIn(draft, ...TIMED.hide)) setTimer(draft, 'hide', input.now + state.config.suspendAfter);
  },

  frozen: (draft) => {
    if (isIn(draft, ...TIMED.hide)) timers.hide(draft);
  },

  reconnect: (draft) => {
    const { state } = draft;
    if (isIn(draft, 'idle')) return;
    leave(draft);
    clearBars(draft);
    Object.assign(state, { attempt: 0, strikes: 0, bare: false });
    state.fresh = state.config.canRenew;
    open(draft, { fresh: state.fresh });
  },

  close: (draft) => {
    leave(draft);
    Object.assign(draft.state, { channels: new Map(), cursor: null, isClosed: true });
    draft.effects.push({ type: 'forget' });
    halt(draft, 'ended', null);
  },
};

/** In which states each timer means something. */
const TIMED: { readonly [timer in Timer]: readonly Name[] } = {
  open: ['opening'],
  watch: ['live'],
  retry: ['waiting', 'offline'],
  probe: ['live'],
  hide: ['opening', 'live', 'waiting', 'offline'],
  linger: ['live'],
  change: ['live'],
  renew: ['live'],
};
