// What TABLE.md says in words: cursors, beginnings, waiting times, transports, credentials, sleep.

import { describe, expect, test } from 'vitest';
import type { Since } from '../../src/cursor.ts';
import { failure } from '../../src/failure.ts';
import type { Effect } from '../../src/machine/step.ts';
import { END_REASONS, type EndReason } from '../../src/wire/generated.ts';
import { at, closed, end, event, Machine, ready, unwant, want } from './cells.ts';

function find<T extends Effect['type']>(effects: readonly Effect[], type: T): Extract<Effect, { type: T }> {
  const found = effects.find((effect) => effect.type === type);
  if (found === undefined) throw new Error(`no ${type} among ${effects.map((effect) => effect.type)}`);
  return found as Extract<Effect, { type: T }>;
}
const since = (channel: string, place: Since) =>
  ({ type: 'want', add: [{ channel, since: place }], remove: [] }) as const;
const network = closed(failure('network'));
const heard = { type: 'ping', id: at(6) } as const;

describe('cursors', () => {
  test('every id is kept, and the next stream begins after the last', () => {
    const machine = new Machine();
    machine.take(
      want('a'),
      ready(5, 'a'),
      { type: 'event', id: at(6), event: event(6), size: 1 },
      { type: 'sign', id: at(8) },
      network,
    );
    expect(machine.state.cursor).toBe(at(8));
    expect(find(machine.ring('retry'), 'open')).toMatchObject({ since: at(8), channels: ['a'] });
  });

  test('what comes without an id between $subscribed and $joined moves nothing', () => {
    const machine = new Machine();
    machine.take(want('a'), ready(5, 'a'), since('b', at(2)));
    expect(find(machine.last, 'change').add).toEqual([{ channel: 'b', since: at(2) }]);
    machine.take({ type: 'subscribed', channels: ['b'] }, { type: 'event', event: event(3, 'b'), size: 1 });
    expect(machine.state.cursor).toBe(at(5));
    machine.take(network);
    const open = find(machine.ring('retry'), 'open');
    expect([open.since, open.channels, open.all]).toEqual([at(5), ['a'], ['a', 'b']]);
    expect(find(machine.take(ready(5, 'a')), 'change').add).toEqual([{ channel: 'b', since: at(2) }]);
    machine.take({ type: 'changed', refused: [] }, { type: 'subscribed', channels: ['b'] });
    machine.take({ type: 'joined', channels: ['b'], id: at(7) });
    expect(find(machine.last, 'joined')).toMatchObject({ channels: ['b'], position: at(7) });
    machine.take(network);
    expect(find(machine.ring('retry'), 'open')).toMatchObject({ since: at(7), channels: ['a', 'b'] });
  });

  test('a cursor that the server does not know is kept until the gap is told', () => {
    const machine = new Machine();
    machine.take(want('a'), ready(5, 'a'), network);
    machine.ring('retry');
    const unknown = { type: 'ready', id: at(2), resumed: false, channels: ['a'] } as const;
    expect(machine.take(unknown)).toEqual([]);
    machine.take({ type: 'sign', id: at(2) }, network);
    expect(machine.state.cursor).toBe(at(5));
    machine.ring('retry');
    const effects = machine.take(unknown, {
      type: 'reset',
      id: at(2),
      reset: { reason: 'unknown', channels: ['a'], through: at(2) },
    });
    expect(effects.map(({ type }) => type)).toEqual(['forget', 'gap', 'opened']);
    expect(machine.state.cursor).toBe(at(2));
  });

  test('at that gap beginnings of the lost history are forgotten too, and told', () => {
    const machine = new Machine();
    machine.take(want('a'), ready(5, 'a'), since('b', at(3)), network);
    machine.ring('retry');
    const effects = machine.take(
      { type: 'ready', id: at(2), resumed: false, channels: ['a'] },
      { type: 'reset', reset: { reason: 'unknown', channels: ['a'], through: at(2) } },
    );
    expect(find(effects, 'gap').reset.channels).toEqual(['a', 'b']);
    expect(find(effects, 'change').add).toEqual([{ channel: 'b' }]);
  });

  test('a stream of nobody lingers, and its position is forgotten with it', () => {
    const machine = new Machine();
    machine.take(want('a'), ready(5, 'a'), unwant('a'));
    expect(machine.state.name).toBe('live');
    expect(machine.ring('linger').map(({ type }) => type)).toEqual(['stop', 'forget']);
    expect([machine.state.name, machine.state.cursor]).toEqual(['idle', null]);
  });
});

describe('channels', () => {
  test('a stream opens with those that begin where it begins; the others are added', () => {
    const machine = new Machine();
    machine.take({
      type: 'want',
      add: [
        { channel: 'a', since: at(3) },
        { channel: 'b', since: 'now' },
        { channel: 'c', since: at(3) },
      ],
      remove: [],
    });
    expect(find(machine.last, 'open')).toMatchObject({ since: at(3), channels: ['a', 'c'], all: ['a', 'b', 'c'] });
    // The transport takes as many as its address holds.
    expect(find(machine.take(ready(3, 'a')), 'change').add).toEqual([{ channel: 'b' }, { channel: 'c', since: at(3) }]);
  });

  test('one change at a time, of at most a thousand', () => {
    const machine = new Machine();
    machine.take(want('a'), ready(5, 'a'));
    const many = Array.from({ length: 1200 }, (_, n) => `c:${n}`);
    expect(find(machine.take(want(...many)), 'change').add).toHaveLength(1000);
    expect(machine.take(want('z'))).toEqual([]);
    expect(find(machine.take({ type: 'changed', refused: [] }), 'change').add).toHaveLength(201);
  });

  test('what was dropped and is wanted again before that was asked for stays', () => {
    const machine = new Machine();
    machine.take(want('a', 'b'), ready(5, 'a', 'b'), want('c'), unwant('b'));
    expect(find(machine.take(want('b')), 'joined').channels).toEqual(['b']);
    expect(machine.take({ type: 'changed', refused: [] })).toEqual([]);
  });

  test('what a stream was asked to begin with and nobody follows any more is taken out', () => {
    const machine = new Machine();
    machine.take(want('a', 'b', 'c'), unwant('b', 'c'), want('c'));
    expect(find(machine.take(ready(5, 'a', 'b', 'c')), 'change')).toEqual({ type: 'change', add: [], remove: ['b'] });
  });

  test('a channel that had only been asked for is asked for again', () => {
    const machine = new Machine();
    machine.take(want('a'), ready(5, 'a'), want('b'), unwant('b'), want('b'));
    expect(find(machine.take({ type: 'changed', refused: [] }), 'change')).toMatchObject({
      add: [{ channel: 'b' }],
      remove: [],
    });
  });

  test('a change of which it is open whether it was made leads to another stream', () => {
    const machine = new Machine();
    machine.take(want('a', 'b'), ready(5, 'a', 'b'), {
      type: 'want',
      add: [{ channel: 'c', since: 'now' }],
      remove: ['b'],
    });
    machine.take({ type: 'unchanged', failure: { kind: 'busy', code: 'capacity', after: 4000 } });
    expect(machine.state.timers.change).toBe(machine.now + 4000);
    expect(find(machine.ring('change'), 'open')).toMatchObject({ channels: ['a', 'c'], since: at(5) });
  });

  test('what comes of an earlier asking is not taken for what comes of the last', () => {
    const machine = new Machine();
    machine.take(want('a'), ready(5, 'a'), since('b', at(4)), since('b', at(2)), { type: 'changed', refused: [] });
    expect(find(machine.last, 'change').add).toEqual([{ channel: 'b', since: at(2) }]);
    expect(find(machine.take({ type: 'subscribed', channels: ['b'] }), 'subscribed').channels).toEqual([]);
    expect(find(machine.take({ type: 'joined', channels: ['b'], id: at(5) }), 'joined').channels).toEqual([]);
    expect(find(machine.take({ type: 'subscribed', channels: ['b'] }), 'subscribed').channels).toEqual(['b']);
    expect(find(machine.take({ type: 'joined', channels: ['b'], id: at(5) }), 'joined').channels).toEqual(['b']);
  });

  test('a beginning that is lowered while the channel catches up waits for another asking', () => {
    const machine = new Machine();
    machine.take(
      want('a'),
      ready(5, 'a'),
      since('b', at(4)),
      { type: 'changed', refused: [] },
      { type: 'subscribed', channels: ['b'] },
    );
    const effects = machine.take(since('b', at(2)));
    expect(effects.map(({ type }) => type)).toEqual(['subscribed', 'change']);
    expect(find(machine.take({ type: 'joined', channels: ['b'], id: at(5) }), 'joined').channels).toEqual([]);
  });

  test('after a refusal that names none the next stream opens without any, and the answer names it', () => {
    const machine = new Machine();
    machine.take(want('a', 'b'));
    const open = find(machine.take(closed({ kind: 'forbidden', code: 'forbidden_channel' })), 'open');
    expect([open.channels, open.all, open.since]).toEqual([[], ['a', 'b'], 'now']);
    machine.take(ready(5), { type: 'changed', refused: [{ channel: 'b', code: 'forbidden_channel' }] });
    expect(find(machine.last, 'refuse')).toMatchObject({ channel: 'b', code: 'forbidden_channel' });
    machine.take({ type: 'subscribed', channels: ['a'] }, { type: 'joined', channels: ['a'], id: at(5) }, network);
    expect(find(machine.ring('retry'), 'open').channels).toEqual(['a']);
  });

  test('from further back everything begins again there', () => {
    const machine = new Machine();
    machine.take(want('a'), ready(5, 'a'));
    const effects = machine.take({ type: 'want', add: [{ channel: 'b', since: at(2) }], remove: [], again: at(2) });
    expect(find(effects, 'open')).toMatchObject({ since: at(2), channels: ['a', 'b'] });
    expect(machine.state.quiet).toBe(true);
  });
});

describe('waiting', () => {
  test('from zero to a limit that doubles up to the last', () => {
    for (const draw of [0, 0.25, 0.999]) {
      const machine = new Machine();
      machine.draw = draw;
      machine.take(want('a'));
      const limits = [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000];
      for (const limit of limits) {
        machine.take(network);
        expect((machine.state.nextAt ?? 0) - machine.now).toBeCloseTo(draw * limit, 6);
        machine.ring('retry');
      }
    }
  });

  test('attempts are counted until a heartbeat', () => {
    const machine = new Machine();
    machine.take(want('a'), network);
    machine.ring('retry');
    machine.take(ready(5, 'a'), network);
    expect(machine.state.attempt).toBe(2);
    machine.ring('retry');
    machine.take(ready(5, 'a'), heard, network);
    expect(machine.state.attempt).toBe(1);
  });

  test('a set maximum refuses, and reconnect starts anew', () => {
    const machine = new Machine({ attempts: 2 });
    machine.take(want('a'), network);
    machine.ring('retry');
    machine.take(network);
    machine.ring('retry');
    machine.take(network);
    expect(machine.state).toMatchObject({ name: 'refused', error: { kind: 'network' } });
    expect(find(machine.take({ type: 'reconnect' }), 'open').fresh).toBe(false);
    expect(machine.state.attempt).toBe(0);
  });

  test('as long as the server says at least, whatever else happens', () => {
    const machine = new Machine();
    machine.take(want('a'), closed({ kind: 'busy', code: 'rate_limited', after: 7000 }));
    expect(machine.state.nextAt).toBe(machine.now + 7000);
    for (const type of ['visible', 'online'] as const) expect(machine.take({ type })).toEqual([]);
    machine.now += 7000;
    expect(machine.ring('retry')).toMatchObject([{ type: 'open' }]);
  });

  test('a server that says to come back at once again and again is waited for', () => {
    const machine = new Machine();
    machine.take(want('a'), ready(5, 'a'), heard);
    expect(find(machine.take(end('now')), 'open')).toBeDefined();
    machine.take(ready(5, 'a'), end('now'));
    expect(machine.state.name).toBe('waiting');
  });

  test('after `later` it is the time that the server has spread', () => {
    const machine = new Machine();
    machine.take(want('a'), ready(5, 'a'), end('later', 6, { reason: 'server_shutdown', after: 2345 }));
    expect(machine.state).toMatchObject({ name: 'waiting', nextAt: machine.now + 2345, cursor: at(6) });
    expect(machine.state.error).toMatchObject({
      code: 'server_shutdown',
      detail: 'the server ended the stream: server shutdown',
    });
  });

  test('every reason is said in words, also one that is not known', () => {
    for (const reason of Object.keys(END_REASONS) as EndReason[]) {
      const machine = new Machine();
      machine.take(want('a'), ready(5, 'a'), end('never', 6, { reason }));
      expect(machine.state.error?.code).toBe(reason);
      expect(machine.state.error?.detail).toMatch(/^the server ended the stream: [a-z' ]+$/);
    }
    const machine = new Machine();
    machine.take(want('a'), ready(5, 'a'), end('never', 6, { reason: 'of_a_newer_server' as EndReason }));
    expect(machine.state.error?.detail).toBe('the server ended the stream: of a newer server');
  });
});

describe('transports', () => {
  test('one that does not begin in time is barred; the next is taken at once', () => {
    const machine = new Machine();
    machine.take(want('a'));
    expect(find(machine.ring('open'), 'open').transport).toBe(1);
    expect(machine.state.error).toMatchObject({ code: 'timeout' });
    machine.take(ready(5, 'a'));
    expect(machine.state.timers.probe).toBe(machine.now + 50_000 + 10_000);
    expect(machine.ring('probe')).toEqual([{ type: 'probe', transport: 0 }]);
    machine.take({ type: 'probed', transport: 0, works: false });
    expect(machine.state.timers.probe).toBe(machine.now + 120_000);
    machine.ring('probe');
    const effects = machine.take({ type: 'probed', transport: 0, works: true });
    expect(effects.map(({ type }) => type)).toEqual(['stop', 'open']);
    expect(find(effects, 'open')).toMatchObject({ transport: 0, since: at(5) });
    expect(machine.state.quiet).toBe(true);
  });

  test('with none left there is a wait, and all are free again', () => {
    const machine = new Machine();
    machine.take(want('a'), closed(failure('blocked')), closed(failure('blocked')));
    expect(machine.state.name).toBe('waiting');
    expect(find(machine.ring('retry'), 'open').transport).toBe(0);
  });

  test('three streams without a heartbeat bar it; one heartbeat clears that', () => {
    const machine = new Machine();
    machine.take(want('a'));
    for (let strike = 1; strike < 3; strike += 1) {
      machine.take(ready(5, 'a'), network);
      expect(find(machine.ring('retry'), 'open').transport).toBe(0);
    }
    expect(find(machine.take(ready(5, 'a'), network), 'open').transport).toBe(1);
    const other = new Machine();
    other.take(want('a'));
    for (let round = 0; round < 6; round += 1) {
      other.take(ready(5, 'a'), heard, network);
      expect(find(other.ring('retry'), 'open').transport).toBe(0);
    }
  });

  test('another network frees all', () => {
    const machine = new Machine();
    machine.take(want('a'), closed(failure('blocked')), network, { type: 'offline' });
    expect(find(machine.take({ type: 'online' }), 'open').transport).toBe(0);
  });
});

describe('credentials', () => {
  test('a refusal is answered once with a fresh one', () => {
    const machine = new Machine({ canRenew: true });
    machine.take(want('a'));
    expect(find(machine.take(closed(failure('auth', 'expired'))), 'open').fresh).toBe(true);
    machine.take(closed(failure('auth', 'expired')));
    expect(machine.state).toMatchObject({ name: 'refused', error: { code: 'expired' } });
    expect(find(machine.take({ type: 'reconnect' }), 'open').fresh).toBe(true);
    machine.take(ready(5, 'a'));
    expect(find(machine.take(end('auth')), 'open').fresh).toBe(true);
  });

  test('it is renewed when it ends soon, again where that failed', () => {
    const machine = new Machine({ canRenew: true });
    machine.take(want('a'), ready(5, 'a'));
    for (const [left, later] of [
      [20_000, 10_000],
      [3_600_000, 30_000],
      [-5, 500],
    ] as const) {
      expect(machine.take({ type: 'expiring', left })).toEqual([]);
      expect(machine.state.timers.renew).toBe(machine.now + later);
    }
    expect(machine.ring('renew')).toEqual([{ type: 'renew' }]);
    machine.take({ type: 'renewed', failure: failure('network') });
    expect(machine.ring('renew')).toEqual([{ type: 'renew' }]);
    machine.take({ type: 'renewed', failure: failure('auth') });
    expect(machine.state.timers.renew).toBeUndefined();
    expect(machine.state.name).toBe('live');
    // One that is good, but not for this stream, opens another.
    machine.take({ type: 'renewed', failure: failure('forbidden') });
    expect(machine.state.name).toBe('opening');
  });
});

describe('signs of life', () => {
  test('whatever comes counts; silence ends the stream', () => {
    const machine = new Machine();
    machine.take(want('a'), ready(5, 'a'));
    machine.now += 60_000;
    machine.take({ type: 'event', id: at(6), event: event(6), size: 1 });
    const heardAt = machine.now;
    machine.ring('watch');
    expect(machine.state.name).toBe('live');
    expect(machine.state.timers.watch).toBe(heardAt + 75_000);
    machine.ring('watch');
    expect(machine.state).toMatchObject({ name: 'waiting', error: { code: 'silent' } });
  });

  test('the interval is learned, slowly downwards, at once upwards', () => {
    const machine = new Machine();
    machine.take(want('a'), ready(5, 'a'));
    for (let n = 0; n < 60; n += 1) {
      machine.now += 10_000;
      machine.take(heard);
    }
    expect(machine.state.interval).toBe(10_000);
    machine.now += 5;
    machine.take(heard);
    expect(machine.state.interval).toBe(9000);
    machine.now += 20_000;
    machine.take(heard);
    expect(machine.state.interval).toBe(20_000);
  });

  test('a heartbeat slower than thought is found out', () => {
    const machine = new Machine();
    machine.take(want('a'), ready(5, 'a'));
    machine.ring('watch');
    machine.ring('retry');
    machine.take(ready(5, 'a'));
    expect((machine.state.timers.watch ?? 0) - machine.now).toBe(150_000);
  });

  test('a timer that slept with the machine replaces the stream, which counts for nothing', () => {
    const machine = new Machine();
    machine.take(want('a'), ready(5, 'a'));
    machine.now += 600_000;
    expect(machine.take({ type: 'timer', timer: 'watch' }).map(({ type }) => type)).toEqual(['stop', 'open']);
    expect(machine.state).toMatchObject({ strikes: 0, attempt: 0 });
  });

  test('a page that is seen again replaces a stream that was silent, and no other', () => {
    const machine = new Machine();
    machine.take(want('a'), ready(5, 'a'), { type: 'hidden' });
    expect(machine.take({ type: 'visible' })).toEqual([]);
    machine.take({ type: 'hidden' });
    machine.now += 40_000;
    expect(machine.take({ type: 'visible' }).map(({ type }) => type)).toEqual(['stop', 'open']);
  });

  test('a page that stays hidden closes its stream, and goes on where it was', () => {
    const machine = new Machine();
    machine.take(want('a'), ready(5, 'a'), { type: 'hidden' });
    expect(machine.ring('hide').map(({ type }) => type)).toEqual(['stop']);
    expect(machine.state.name).toBe('suspended');
    expect(find(machine.take({ type: 'visible' }), 'open').since).toBe(at(5));
  });

  test('a stream that lived through the network being away is replaced', () => {
    const machine = new Machine();
    machine.take(want('a'), ready(5, 'a'), { type: 'offline' });
    expect(machine.state.name).toBe('live');
    expect(machine.take({ type: 'online' }).map(({ type }) => type)).toEqual(['stop', 'open']);
  });
});
