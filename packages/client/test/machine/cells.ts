// The rows and columns of TABLE.md: each input, and each state with an ordinary past.

import { type Failure, failure } from '../../src/failure.ts';
import { machine } from '../../src/machine/machine.ts';
import { initialState, type MachineConfig, type Name, type State, type Timer } from '../../src/machine/state.ts';
import type { Happening, Step } from '../../src/machine/step.ts';
import { translate } from '../../src/translate.ts';
import type { Cursor, End, Event, Retry } from '../../src/wire/generated.ts';

export const CONFIG: MachineConfig = {
  transports: 2,
  initial: 1000,
  max: 30_000,
  attempts: Number.POSITIVE_INFINITY,
  heartbeat: 30_000,
  watchdog: null,
  openTimeout: 10_000,
  linger: 5000,
  suspendAfter: 300_000,
  restoreAfter: 60_000,
  canRenew: false,
};

/** The cursor of the nth event. */
export function at(n: number): Cursor {
  return `${n.toString(32).toUpperCase().padStart(13, '0')}.0000001` as Cursor;
}

export function event(n: number, channel = 'a'): Event {
  return { id: at(n), channel, type: 't', time: '2026-01-01T00:00:00.000Z', data: n };
}

/** A machine with a clock that tests move. */
export class Machine {
  state: State;
  now = 1_000_000;
  draw = 0.5;
  last: Step['effects'] = [];

  constructor(config: Partial<MachineConfig> = {}) {
    this.state = initialState({ ...CONFIG, ...config });
  }

  /** Takes inputs, one after the other; answers the effects of the last. */
  take(...happenings: Happening[]): Step['effects'] {
    for (const happening of happenings) {
      const { state, effects } = machine(this.state, { ...happening, now: this.now, draw: this.draw });
      this.state = state;
      this.last = effects;
    }
    return this.last;
  }

  /** Lets time pass until a timer is due, and rings it. */
  ring(timer: Timer): Step['effects'] {
    this.now = Math.max(this.now, this.state.timers[timer] ?? Number.NaN);
    return this.take({ type: 'timer', timer });
  }
}

export const want = (...channels: string[]): Happening => ({
  type: 'want',
  add: channels.map((channel) => ({ channel, since: 'now' })),
  remove: [],
});
export const unwant = (...remove: string[]): Happening => ({ type: 'want', add: [], remove });
export const ready = (n: number, ...channels: string[]): Happening => ({
  type: 'ready',
  id: at(n),
  resumed: true,
  channels,
});
export const closed = (why: Failure): Happening => ({ type: 'closed', failure: why });
export const end = (retry: Retry, n = 7, more: Partial<End> = {}): Happening =>
  translate({ id: at(n), event: '$end', data: { reason: 'lifetime', retry, ...more } }) as Happening;
const reset = (reason: 'expired' | 'unknown' | 'unauthorized', id?: Cursor): Happening => ({
  type: 'reset',
  reset: { reason, channels: ['a'], through: reason === 'unauthorized' ? null : at(9) },
  ...(id !== undefined && { id }),
});
const timer = (name: Timer): Happening => ({ type: 'timer', timer: name });

const opened = [want('a')];
const live = [...opened, ready(5, 'a'), { type: 'ping', id: at(6) } as const];

/** How each state comes about. */
export const STATES: { readonly [name in Name]: readonly Happening[] } = {
  idle: [],
  opening: opened,
  live,
  waiting: [...live, closed(failure('network'))],
  offline: [...live, { type: 'offline' }, closed(failure('network'))],
  suspended: [...live, { type: 'frozen' }],
  refused: [...live, closed(failure('auth'))],
  ended: [...live, end('never')],
};

/** The inputs by the names of TABLE.md. */
export const INPUTS: { readonly [name: string]: Happening } = {
  'want: one more': want('b'),
  'want: nothing more': unwant('a'),
  'want: from further back': { type: 'want', add: [{ channel: 'b', since: at(1) }], remove: [], again: at(1) },
  ready: ready(8, 'a'),
  event: { type: 'event', id: at(8), event: event(8), size: 9 },
  ping: { type: 'ping', id: at(8) },
  sign: { type: 'sign', id: at(8) },
  subscribed: { type: 'subscribed', channels: ['a'] },
  joined: { type: 'joined', id: at(8), channels: ['a'] },
  'reset: expired': reset('expired'),
  'reset: unknown': reset('unknown', at(9)),
  'reset: unauthorized': reset('unauthorized'),
  expiring: { type: 'expiring', left: 60_000 },
  'end: now': end('now'),
  'end: later': end('later'),
  'end: auth': end('auth'),
  'end: never': end('never'),
  'closed: network': closed(failure('network')),
  'closed: blocked': closed(failure('blocked')),
  'closed: busy': closed({ kind: 'busy', code: 'rate_limited', after: 9000 }),
  'closed: auth': closed(failure('auth')),
  'closed: forbidden, a channel': closed({ kind: 'forbidden', code: 'forbidden_channel', at: 'a' }),
  'closed: forbidden, no channel named': closed({ kind: 'forbidden', code: 'forbidden_channel' }),
  'closed: forbidden, all of it': closed({ kind: 'forbidden', code: 'wrong_origin' }),
  'closed: long': closed(failure('long')),
  'closed: now': closed(failure('now')),
  'closed: gone': closed(failure('gone')),
  changed: { type: 'changed', refused: [] },
  'changed: refused': { type: 'changed', refused: [{ channel: 'a', code: 'forbidden_channel' }] },
  'unchanged: network': { type: 'unchanged', failure: failure('network') },
  'unchanged: auth': { type: 'unchanged', failure: failure('auth') },
  'unchanged: reopen': { type: 'unchanged', failure: failure('reopen') },
  renewed: { type: 'renewed', failure: null },
  'renewed: failed': { type: 'renewed', failure: failure('network') },
  'probed: works': { type: 'probed', transport: 0, works: true },
  'probed: does not': { type: 'probed', transport: 0, works: false },
  'timer: open': timer('open'),
  'timer: watch': timer('watch'),
  'timer: retry': timer('retry'),
  'timer: probe': timer('probe'),
  'timer: hide': timer('hide'),
  'timer: linger': timer('linger'),
  'timer: change': timer('change'),
  'timer: renew': timer('renew'),
  online: { type: 'online' },
  offline: { type: 'offline' },
  visible: { type: 'visible' },
  hidden: { type: 'hidden' },
  frozen: { type: 'frozen' },
  reconnect: { type: 'reconnect' },
  close: { type: 'close' },
};

/** What a cell says: the next state, where it is another; effects; timers that are set anew (`+`) or no more (`-`). */
export function cellOf(name: Name, happening: Happening): string {
  const machine = new Machine();
  machine.take(...STATES[name]);
  if (machine.state.name !== name) throw new Error(`${name} is ${machine.state.name}`);
  const before = machine.state;
  // The silence that the watchdog looks for.
  if (happening.type === 'timer' && happening.timer === 'watch') machine.now = before.timers.watch ?? machine.now;
  const effects = machine.take(happening).map(({ type }) => type);
  const after = machine.state;
  const next = after.name === name ? [] : [`**${after.name}**`];
  const timers = { ...before.timers, ...after.timers };
  const marks = (Object.keys(timers) as Timer[]).flatMap((one) => {
    const [old, now] = [before.timers[one], after.timers[one]];
    return old === now ? [] : [now === undefined ? `-${one}` : `+${one}`];
  });
  return [...next, ...effects, ...marks.sort()].join(' ') || '·';
}
