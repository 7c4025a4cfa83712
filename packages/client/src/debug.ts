// `@tidings/client/debug`: each step of the connection in the console, chosen as npm `debug` does it.
//
// `localStorage.debug = 'tidings:*'` shows all of it, `tidings:closed,tidings:end` two inputs, `tidings:*,-tidings:event`
// all but events. A client looks there by itself when it is made; elsewhere give it `{ trace: debug('tidings:*') }`.

import type { Trace } from './options.ts';

function compile(pattern: string): RegExp {
  const escaped = pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replace(/\*/g, '.*');
  return new RegExp(`^${escaped}$`);
}

/** What chooses by a list of patterns, with commas or spaces between them; a pattern with `-` before it leaves out. */
export function chooser(patterns: string): (name: string) => boolean {
  const words = patterns.split(/[\s,]+/).filter((word) => word !== '');
  const [yes, no] = [words.filter((word) => !word.startsWith('-')), words.filter((word) => word.startsWith('-'))];
  const [shown, hidden] = [yes.map(compile), no.map((word) => compile(word.slice(1)))];
  return (name) => shown.some((one) => one.test(name)) && !hidden.some((one) => one.test(name));
}

function stored(): string {
  try {
    return globalThis.localStorage?.getItem('debug') ?? '';
  } catch {
    // A page may be forbidden to look.
    return '';
  }
}

/**
 * A trace that writes to the console under `tidings:` and the input's type. `patterns` default to `localStorage.debug`.
 * `websocket:` counts as well as `tidings:`. Events are shown with their data; credentials never are.
 */
export function debug(
  patterns: string = stored(),
  write: (...words: unknown[]) => void = (...words) => console.debug(...words),
): Trace {
  const isChosen = chooser(patterns);
  return ({ input, from, to, effects }) => {
    const { type } = input;
    if (!isChosen(`tidings:${type}`) && !isChosen(`websocket:${type}`)) return;
    const done = effects.map((effect) => effect.type).join(', ');
    write(`tidings:${type}`, from === to ? from : `${from} → ${to}`, ...(done === '' ? [] : [done]), input);
  };
}
