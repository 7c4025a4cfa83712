// The documents' snippets on casts compile as they are, and their twins strictly.

import { expect, test } from 'vitest';
import { compile, parseErrors } from './compile.ts';
import { framedFiles, pathOf, written } from './frame.ts';
import { SNIPPETS } from './table.ts';

const FOLDER = new URL('.', import.meta.url).pathname.replace(/\/$/, '');

// The compiler reads React's types, which takes its time on a busy machine.
const timeout = 120_000;

test('as written, with `noImplicitAny` and `strictNullChecks` off', { timeout }, () => {
  expect(compile(`${FOLDER}/loose`, framedFiles())).toEqual([]);
});

test('the twins, and what tries them, under the settings of the package', { timeout }, () => {
  expect(compile(FOLDER)).toEqual([]);
});

test.each(SNIPPETS.filter(({ dots }) => dots))('$file, in which dots stand, is no TypeScript as written', (snippet) => {
  expect(parseErrors(pathOf(snippet, 'loose'), written(snippet))).not.toEqual([]);
});

test('a mistake in a snippet is found', { timeout }, () => {
  const [path = ''] = framedFiles().keys();
  const wrong = new Map([...framedFiles(), [path, 'export const Snippet = useCastEvents({ cast: 1 });\n']]);
  expect(compile(`${FOLDER}/loose`, wrong)).toEqual([expect.stringMatching(/^basic-usage\.tsx:1: /)]);
});
