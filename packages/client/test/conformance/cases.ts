// The cases as they stand in `conformance/`, and the words in them that stand for something.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
export type Members = { readonly [name: string]: Json };

/** One step: a verb with what belongs to it, and perhaps more. */
export type Step = Members;

export interface Case {
  readonly name: string;
  readonly file: string;
  readonly over: readonly string[];
  readonly for: readonly string[];
  readonly needs: readonly string[];
  readonly client: Members;
  readonly base: string;
  readonly steps: readonly Step[];
}

const ROOT = join(import.meta.dirname, '../../../../conformance');

/** A table by its name. */
export function table(name: string): Members & { readonly rows: readonly Members[] } {
  return JSON.parse(readFileSync(join(ROOT, 'tables', `${name}.json`), 'utf8'));
}

/** Every case of every file. */
export function allCases(): Case[] {
  const files = readdirSync(join(ROOT, 'cases')).filter((file) => file.endsWith('.json'));
  return files.sort().flatMap((file) => {
    const { cases } = JSON.parse(readFileSync(join(ROOT, 'cases', file), 'utf8')) as { cases: Partial<Case>[] };
    return cases.map((one) => ({
      name: '',
      over: ['sse', 'websocket'],
      for: ['server', 'clients'],
      needs: [],
      client: {},
      base: '',
      steps: [],
      ...one,
      file,
    }));
  });
}

const HISTORY = '.DHB2KD7';

/** The cursor of a number: thirteen base32hex digits. */
function cursorOf(number: number): string {
  return number.toString(32).toUpperCase().padStart(13, '0') + HISTORY;
}

/** What a placeholder stands for where the runner plays the server: `<7>` is a cursor, `<time 1>` a time, others are texts. */
export function fillText(text: string, elsewhere = ''): string {
  return text.replace(/<([a-z]*(?: ?[a-z0-9]+)?)>/g, (_, name: string) => {
    if (/^\d+$/.test(name)) return cursorOf(Number(name));
    if (name.startsWith('time')) return '2026-11-21T10:00:00.000Z';
    return name === 'elsewhere' ? elsewhere : name.replaceAll(' ', '-');
  });
}

/** The same for every text in it; `{"repeat", "times"}` becomes the text that it describes. */
export function fill(json: Json, elsewhere = ''): Json {
  if (typeof json === 'string') return fillText(json, elsewhere);
  if (json === null || typeof json !== 'object') return json;
  if (Array.isArray(json)) return json.map((one) => fill(one, elsewhere));
  return Object.fromEntries(Object.entries(json).map(([name, one]) => [name, fill(one, elsewhere)]));
}

/** Data of an event, which is as it stands, but for what is too long to stand there. */
function dataOf(json: Json): Json {
  const { repeat, times } = (json ?? {}) as { repeat?: string; times?: number };
  return typeof repeat === 'string' && typeof times === 'number' ? repeat.repeat(times) : json;
}

/** Members of a publication that subscribers are not given. */
const KEPT = ['key', 'idempotencyKey'];

/** The events of a case by their placeholders, as a stream gives them. */
export function eventsOf(steps: readonly Step[]): Map<string, Members> {
  const events = new Map<string, Members>();
  for (const { publish, as } of steps) {
    if (publish === undefined) continue;
    const name = String(as);
    const { channel, type, data, ...more } = publish as Members;
    const rest = Object.fromEntries(Object.entries(more).filter(([member]) => !KEPT.includes(member)));
    const time = fillText('<time>');
    const event = { id: fillText(name), channel, type, time, data: dataOf(data ?? null), ...rest };
    events.set(name, event as Members);
  }
  return events;
}
