// Whether a value is what it may be: callers without types are told at once, and by name, what is wrong.

/** What a value may be, in words and as a test. */
export type Rule = readonly [may: string, fits: (value: unknown) => boolean];

export const TEXT: Rule = ['a string', (value) => typeof value === 'string'];
export const WORD: Rule = ['a string that is not empty', (value) => typeof value === 'string' && value !== ''];
export const FUNCTION: Rule = ['a function', (value) => typeof value === 'function'];
export const OBJECT: Rule = ['an object', (value) => typeOf(value) === 'object'];

export const SIGNAL: Rule = ['an AbortSignal', (value) => OBJECT[1](value) && 'aborted' in (value as object)];

/** A number from `least` on, which `Infinity` is too, or up to `most`. */
export function number(least: number, most = Number.POSITIVE_INFINITY): Rule {
  const may = most === Number.POSITIVE_INFINITY ? `a number, ${least} or more` : `a number from ${least} to ${most}`;
  return [may, (value) => typeof value === 'number' && value >= least && value <= most];
}

/** A whole number from `least` on, or `Infinity`: no limit. */
export function count(least: number): Rule {
  const isWhole = (value: unknown) => Number.isInteger(value) || value === Number.POSITIVE_INFINITY;
  return [`a whole number, ${least} or more`, (value) => isWhole(value) && (value as number) >= least];
}

function typeOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
}

/** What was given instead, in a word or two: all of it may be long. */
function show(value: unknown): string {
  if (value === undefined || value === null) return 'missing';
  if (value === '') return 'empty';
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 200));
  return value === Object(value) ? `of type ${typeOf(value)}` : String(value);
}

/** What is wrong with a value, and what it must be; `undefined` where it fits. */
export function faultOf(name: string, value: unknown, [may, fits]: Rule): string | undefined {
  return fits(value) ? undefined : `${name} is ${show(value)}; it must be ${may}`;
}

/**
 * Refuses an option that a rule does not take; `undefined` is as if it were not there.
 *
 * @throws RangeError for a number, TypeError for anything else.
 */
export function checkOption(name: string, value: unknown, rule: Rule): void {
  const fault = value === undefined ? undefined : faultOf(`\`${name}\``, value, rule);
  if (fault === undefined) return;
  const isRange = typeof value === 'number' && rule[0].includes('number');
  throw new (isRange ? RangeError : TypeError)(`tidings: ${fault}`);
}

/** The same for the options of a call. An `AbortSignal` in their place would be overlooked. */
export function checkCall(options: object, rules: { readonly [name: string]: Rule }): void {
  const may = `{ ${Object.keys(rules).join(', ')} }`;
  checkOption('options', options, [may, (value) => OBJECT[1](value) && !SIGNAL[1](value)]);
  for (const [name, rule] of Object.entries(rules)) {
    checkOption(name, (options as { readonly [name: string]: unknown })[name], rule);
  }
}
