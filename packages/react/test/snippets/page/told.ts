// What a page was given by the test, and what it tells it.

import type { Cast } from '@tidings/client/casts';

/** What the test puts into the page's address. */
export interface Given {
  readonly castId?: string;
  readonly castIds?: readonly string[];
  readonly initialCast?: Cast;
}

/** What the page did, for the test to read. */
export interface Told {
  /** The toasts, as `success: text`. */
  readonly toasts: string[];
  /** Calls of functions that the snippet leaves out, as `[name, argument]`. */
  readonly calls: [name: string, argument: unknown][];
  /** What a snippet's own tests came to: `null` where one has passed, else why not. */
  readonly tests: Record<string, string | null>;
  /** Functions that nothing on the page calls. */
  functions: Record<string, () => unknown>;
}

declare global {
  interface Window {
    told: Told;
  }
}

const text = new URLSearchParams(location.search).get('given');

export const given: Given = text === null ? {} : JSON.parse(text);
export const told: Told = { toasts: [], calls: [], tests: {}, functions: {} };

window.told = told;
