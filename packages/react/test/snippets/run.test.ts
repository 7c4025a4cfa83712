// The documents' snippets on casts, as written and as strict twins, in Chromium and in Node against the real server.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { BACKENDS } from './scenarios/backends.ts';
import { PAGES } from './scenarios/pages.ts';
import { PATTERNS } from './scenarios/patterns.ts';
import { Rig } from './support/rig.ts';
import { LEFT_OUT, SNIPPETS, type Snippet } from './table.ts';

const SCENARIOS = { ...PAGES, ...PATTERNS, ...BACKENDS };
const VARIANTS = ['loose', 'strict'] as const;
const WHERE = { page: 'Chromium', console: 'Chromium (as written in its console)', node: 'Node, seen in Chromium' };

const ran = new Map<Snippet, string[]>();
let rig: Rig;

beforeAll(async () => {
  rig = await Rig.start();
}, 60_000);
afterEach(() => rig.leave());
afterAll(async () => {
  await rig?.stop();
  await rig?.chromium.stop();
  console.log(table());
});

/** What ran, and what did not and why. */
function table(): string {
  const rows = SNIPPETS.map((snippet) => {
    const { file, document, heading, runs, dots, frame } = snippet;
    const how = ran.get(snippet)?.join(' and ') ?? '';
    const result = how === '' ? 'did not run' : `${how} ran in ${WHERE[runs]}`;
    const reason = dots ? '; left out as written: the dots in it are no TypeScript' : '';
    const inserted =
      frame.kind === 'component' && frame.insert ? `; framed with the line ${frame.insert.line.trim()}` : '';
    return `${file} | ${document}, ${heading} | ${result}${reason}${inserted}`;
  });
  const out = LEFT_OUT.map(([what, why]) => `- | ${what} | left out: ${why}`);
  return ['snippet | document | result', ...rows, ...out].join('\n');
}

test('every snippet has a scenario', () => {
  expect(Object.keys(SCENARIOS).sort()).toEqual(SNIPPETS.map(({ file }) => file).sort());
});

for (const snippet of SNIPPETS) {
  for (const variant of VARIANTS) {
    const how = variant === 'strict' ? 'its strict twin' : snippet.dots ? 'with its dots filled in' : 'as written';
    test(`${snippet.file}, ${how}`, { timeout: 90_000 }, async () => {
      await SCENARIOS[snippet.file]?.(rig, variant, snippet);
      ran.set(snippet, [...(ran.get(snippet) ?? []), how]);
    });
  }
}
