// Puts a snippet into what it needs around it to be a module.

import { readFileSync } from 'node:fs';
import { SNIPPETS, type Snippet } from './table.ts';

const HERE = new URL('.', import.meta.url).pathname;

/** Where a snippet is, as written or as its twin. */
export function pathOf({ file }: Snippet, variant: 'loose' | 'strict'): string {
  return `${HERE}${variant}/${variant === 'strict' ? file.replace(/\.js$/, '.ts') : file}`;
}

/** The text as the document has it. */
export function written(snippet: Snippet): string {
  return readFileSync(pathOf(snippet, 'loose'), 'utf8');
}

/** Replaces what is there exactly once. */
function replaceOne(text: string, from: string, to: string): string {
  const [before, after, ...more] = text.split(from);
  if (before === undefined || after === undefined || more.length > 0) throw new Error(`not once in a snippet: ${from}`);
  return before + to + after;
}

/** The text with something for the document's dots, where it has them. */
export function filled(snippet: Snippet): string {
  return (snippet.dots ?? []).reduce((text, [from, to]) => replaceOne(text, from, to), written(snippet));
}

/** The snippet in its frame: a module that exports `Snippet`, unless it does all it does when it is loaded. */
export function framed(snippet: Snippet): string {
  const text = filled(snippet);
  const { frame } = snippet;
  switch (frame.kind) {
    case 'component': {
      const { insert } = frame;
      const body = insert ? replaceOne(text, insert.before, `${insert.line}\n${insert.before}`) : text;
      return `${body}\nexport { ${frame.name} as Snippet };\n`;
    }
    case 'body': {
      const lines = text.split('\n');
      const at = lines.findLastIndex((line) => line.startsWith('import ')) + 1;
      const [imports, body] = [lines.slice(0, at), lines.slice(at)].map((part) => part.join('\n'));
      return `${imports}\nexport function Snippet() {\n${body}\nreturn show({ ${frame.shows.join(', ')} });\n}\n`;
    }
    case 'switch':
      return `export async function Snippet(action: string) {\nswitch (action) {\n${text}\n}\n}\n`;
    default:
      return `${text}\nexport {};\n`;
  }
}

/** The framed text of every snippet that is compiled or bundled, by its path. */
export function framedFiles(): Map<string, string> {
  const compiled = SNIPPETS.filter(({ frame }) => frame.kind !== 'console');
  return new Map(compiled.map((snippet) => [pathOf(snippet, 'loose'), framed(snippet)]));
}
