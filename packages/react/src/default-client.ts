// The client of pages that have no provider: one for the page, whatever number of roots and copies of this package it has.

import type { Client } from '@tidings/client';
import { LazyClient } from './lazy-client.ts';

const KEY = Symbol.for('tidings.client');

/** The page's client, at the page's origin or where the bundler's variables point; tabs share its connection. */
export function defaultClient(): Client {
  const page = globalThis as { [KEY]?: Client };
  page[KEY] ??= new LazyClient({ tabs: true });
  return page[KEY];
}
