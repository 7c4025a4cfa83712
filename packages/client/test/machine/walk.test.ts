// Random walks through the machine: what must hold after every step, whatever came before.

import { describe, expect, test } from 'vitest';
import { failure } from '../../src/failure.ts';
import type { Name, Timer } from '../../src/machine/state.ts';
import type { Happening } from '../../src/machine/step.ts';
import { random } from '../support/random.ts';
import { at, event, INPUTS, Machine, want } from './cells.ts';

const ALLOWED: { readonly [name in Name]: readonly Timer[] } = {
  idle: [],
  opening: ['open', 'hide'],
  live: ['watch', 'probe', 'hide', 'linger', 'change', 'renew'],
  waiting: ['retry', 'hide'],
  offline: ['retry', 'hide'],
  suspended: [],
  refused: [],
  ended: [],
};
/** A state in which something is to come has a timer that sees to it. */
const NEEDED: { readonly [name in Name]?: Timer } = {
  opening: 'open',
  live: 'watch',
  waiting: 'retry',
  offline: 'retry',
};

describe.each(Array.from({ length: 50 }, (_, seed) => seed))('seed %i', (seed) => {
  test('a walk of 400 steps keeps to the rules', () => {
    const numbers = random(seed);
    const machine = new Machine({ transports: 3, canRenew: seed % 2 === 0 });
    const inputs = Object.values(INPUTS).filter(({ type }) => type !== 'close');
    let isOpen = false;
    let id = 10;
    for (let step = 0; step < 400; step += 1) {
      machine.now += numbers.below(3) === 0 ? numbers.below(120_000) : numbers.below(100);
      machine.draw = numbers.next();
      const before = machine.state;
      id += 1;
      const more: Happening[] = [
        want(numbers.pick(['a', 'b', 'c'])),
        { type: 'ready', id: at(id), resumed: numbers.chance(0.8), channels: [...before.channels.keys()].slice(0, 2) },
        { type: 'event', id: at(id), event: event(id), size: 1 },
        { type: 'joined', id: at(id), channels: [...before.channels.keys()] },
        { type: 'changed', refused: [] },
        { type: 'closed', failure: failure('network') },
      ];
      const input = numbers.chance(0.6) ? numbers.pick(more) : numbers.pick(inputs);
      const effects = machine.take(input);
      const { state } = machine;
      const said = `${JSON.stringify(input)} in ${before.name} gives ${state.name}`;

      for (const effect of effects) {
        if (effect.type === 'stop') isOpen = false;
        if (effect.type === 'open') isOpen = true;
        if (effect.type === 'open')
          expect(
            effect.channels.every((one) => state.channels.has(one)),
            said,
          ).toBe(true);
      }
      if (input.type === 'closed' && !effects.some(({ type }) => type === 'open')) isOpen = false;
      expect(isOpen, said).toBe(state.name === 'live' || state.name === 'opening');

      for (const timer of Object.keys(state.timers)) expect(ALLOWED[state.name], said).toContain(timer);
      const needed = NEEDED[state.name];
      if (needed !== undefined) expect(state.timers[needed], said).toBeGreaterThan(0);
      if (state.name === 'idle') expect([state.channels.size, state.cursor], said).toEqual([0, null]);
      if (state.name === 'opening' || state.name === 'waiting') expect(state.channels.size, said).toBeGreaterThan(0);
      expect(state.nextAt === null, said).toBe(state.name !== 'waiting' && state.name !== 'offline');
      for (const [name, place] of state.channels) {
        if (place.phase === 'joined' && state.name === 'live') expect(state.dropping.has(name), said).toBe(false);
        // A change that is asked for is under way, or was answered and waits for `$joined`.
        if (state.name === 'opening') expect(place.phase, said).toBe('wanted');
      }
    }
  });
});
