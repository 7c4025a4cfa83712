// Whether a value is what it may be: callers without types are told at once, and by name, what is wrong.

/**
 * What a value may be: of these types (`string or function`), a number of at least that, a text of that form, a list of
 * such, or an object with such members, of which any may be missing or `undefined`.
 */
export type Rule = string | number | RegExp | readonly [Rule] | Rules;
export type Rules = { readonly [name: string]: Rule };

function typeOf(value: unknown): string {
  return value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
}

/** @throws TypeError or RangeError, as if the value were not what it may be. */
export function refuse(name: string, value: unknown, may: string, Kind: ErrorConstructor = TypeError): never {
  const is = typeof value === 'string' ? JSON.stringify(value.slice(0, 200)) : String(value);
  throw new Kind(
    `tidings: \`${name}\` is ${value === Object(value) ? `of type ${typeOf(value)}` : is}; it must be ${may}`,
  );
}

/**
 * Refuses what a rule does not take.
 *
 * @throws TypeError, or RangeError for a number, with the name, what was given and what it may be.
 */
export function check(name: string, value: unknown, rule: Rule): void {
  if (typeof rule === 'number') {
    const isNumber = typeof value === 'number';
    if (!isNumber || !(value >= rule)) {
      refuse(name, value, `a number, ${rule} or more`, isNumber ? RangeError : TypeError);
    }
  } else if (typeof rule === 'string') {
    if (!rule.split(' or ').includes(typeOf(value))) refuse(name, value, `of type ${rule}`);
  } else if (rule instanceof RegExp) {
    if (typeof value !== 'string' || !rule.test(value)) refuse(name, value, `a string that matches ${rule}`);
  } else if (Array.isArray(rule)) {
    check(name, value, 'array');
    for (const [index, item] of (value as unknown[]).entries()) check(`${name}[${index}]`, item, rule[0]);
  } else {
    check(name, value, 'object');
    for (const [member, one] of Object.entries(rule)) {
      const given = (value as { readonly [name: string]: unknown })[member];
      if (given !== undefined) check(`${name}.${member}`, given, one);
    }
  }
}
