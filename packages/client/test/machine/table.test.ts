// TABLE.md and the machine say the same, cell by cell.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Name, Timer } from '../../src/machine/state.ts';
import type { Happening } from '../../src/machine/step.ts';
import { cellOf, INPUTS, Machine, STATES } from './cells.ts';

const page = readFileSync(new URL('../../src/machine/TABLE.md', import.meta.url), 'utf8');
const lines = page.split('\n').filter((line) => line.startsWith('|'));
const rows = lines.map((line) =>
  line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim()),
);
const [head = [], , ...body] = rows;
const columns = head.slice(1) as Name[];

test('the table has every state and every input, once', () => {
  expect(columns).toEqual(Object.keys(STATES));
  expect(body.map(([row]) => row)).toEqual(Object.keys(INPUTS));
  for (const row of body) expect(row).toHaveLength(columns.length + 1);
});

test('every type of input and every timer has a row', () => {
  const types: { readonly [type in Happening['type']]: true } = {
    want: true,
    ready: true,
    event: true,
    ping: true,
    sign: true,
    subscribed: true,
    joined: true,
    reset: true,
    expiring: true,
    end: true,
    closed: true,
    changed: true,
    unchanged: true,
    renewed: true,
    probed: true,
    timer: true,
    online: true,
    offline: true,
    visible: true,
    hidden: true,
    frozen: true,
    reconnect: true,
    close: true,
  };
  const timers: { readonly [timer in Timer]: true } = {
    open: true,
    watch: true,
    retry: true,
    probe: true,
    hide: true,
    linger: true,
    change: true,
    renew: true,
  };
  const inputs = Object.values(INPUTS);
  expect(new Set(inputs.map(({ type }) => type))).toEqual(new Set(Object.keys(types)));
  const told = inputs.flatMap((input) => (input.type === 'timer' ? [input.timer] : []));
  expect(new Set(told)).toEqual(new Set(Object.keys(timers)));
});

for (const [row = '', ...cells] of body) {
  describe(row, () => {
    cells.forEach((cell, index) => {
      const name = columns[index] as Name;
      test(`in ${name}: ${cell}`, () => {
        expect(cellOf(name, INPUTS[row] as Happening)).toBe(cell);
      });
    });
  });
}

test('after it was closed nothing happens', () => {
  for (const input of Object.values(INPUTS)) {
    const machine = new Machine();
    machine.take(...STATES.live, { type: 'close' });
    const before = machine.state;
    expect(machine.take(input)).toEqual([]);
    expect(machine.state).toEqual(before);
  }
});
