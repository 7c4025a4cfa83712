// What the client may be given: its options, what is subscribed, what is called.

import { check, type Rules, refuse } from './check.ts';
import type { Subscribe } from './client.ts';
import { PATTERN } from './pattern.ts';

const MOST_CHANNELS = 1000;

/** `transports` are looked at where they are chosen, the address in `url` where it is read. */
export const OPTIONS: Rules = {
  url: 'string',
  auth: 'string or function',
  credentials: /^(omit|same-origin|include)$/,
  heartbeat: 1,
  watchdog: 1,
  openTimeout: 1,
  backoff: { initial: 1, max: 1, attempts: 0 },
  restoreAfter: 1,
  suspendAfter: 0,
  linger: 0,
  queueLimit: 0,
  recentLimit: 0,
  tabs: 'string or boolean',
  environment: 'object',
  trace: 'function',
};

const WHAT: Rules = {
  types: [/^(?!(error|open)$)[\w.:-]{1,100}$/],
  categories: [/^[A-Z_]{1,40}$/],
  since: /^(now|start|[0-9A-V]{13}\.[0-9A-V]{7})$/,
};

export const LISTENERS: Rules = { onEvent: 'function', onGap: 'function', onStatus: 'function', onError: 'function' };

/** Put behind the server's address anything else could name another server, which would get the credential. */
export const PATH: RegExp = /^\//;

/**
 * What is to be followed, each channel once.
 *
 * @throws TypeError or RangeError, which names what is wrong.
 */
export function selectionOf(
  what: string | readonly string[] | Subscribe,
): Subscribe & { readonly channels: readonly string[] } {
  check('what', what, 'string or array or object');
  const given = typeof what === 'string' || Array.isArray(what) ? { channels: what as string } : (what as Subscribe);
  check('what', given, WHAT);
  const named = typeof given.channels === 'string' ? [given.channels] : given.channels;
  check('channels', named, [PATTERN]);
  const channels = [...new Set(named)];
  const { length } = channels;
  if (length < 1 || length > MOST_CHANNELS) refuse('channels.length', length, `1 to ${MOST_CHANNELS}`, RangeError);
  return { ...given, channels };
}

/** @throws TypeError where it is nothing that can be called. */
export function checkListener(listener: unknown): void {
  check('listener', listener, typeof listener === 'function' ? 'function' : LISTENERS);
}

/** @throws TypeError where a record has nowhere to come from or to go to. */
export function checkSource(source: unknown, listeners: { readonly onSnapshot: unknown }): void {
  check('source', source, typeof source === 'function' ? 'function' : PATH);
  check('listeners', listeners, LISTENERS);
  check('listeners.onSnapshot', listeners.onSnapshot, 'function');
}
