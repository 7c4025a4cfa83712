// Channels and patterns: a pattern is a channel, `*`, or a channel and `:*`.

/** What the server takes, of at most 200 characters. */
export const PATTERN: RegExp = /^(?=.{1,200}$)(\*|[\w.~@/-]+(:[\w.~@/-]+)*(:\*)?)$/;

/** Whether a text is a channel or pattern as the server takes it. */
export function isPattern(text: string): boolean {
  return PATTERN.test(text);
}

/** Whether it takes in more than one channel. */
export function isWide(pattern: string): boolean {
  return pattern.endsWith('*');
}

/** Whether a pattern takes in a channel, or all of another pattern. */
export function covers(pattern: string, other: string): boolean {
  if (pattern === '*' || pattern === other) return true;
  return pattern.endsWith(':*') && other.startsWith(pattern.slice(0, -1));
}
