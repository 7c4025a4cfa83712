// The client under test, as a case wants it.

import WebSocket from 'ws';
import { type Client, createClient, type TransportName } from '../../src/index.ts';
import type { Case } from './cases.ts';
import { EventSource } from './event-source.ts';

/**
 * How many times as long as a case says this client waits for a server that is silent: on a busy machine the runner may not
 * get to say anything within such a time. What a case allows for it is far more.
 */
const SLACK = 4;

/** A client of one transport, of the server at this address. */
export function clientFor(one: Case, over: string, url: string): Client {
  const { renews, credential, silence = 20_000, opening = 10_000, backoff = 30 } = one.client;
  const names = ['first', 'second', 'third', 'fourth'];
  const auth = renews === true ? () => names.shift() ?? 'none' : (credential as string | undefined);
  return createClient({
    url: url + one.base,
    ...(auth !== undefined && { auth }),
    transports: [over as TransportName],
    backoff: { initial: Number(backoff), max: Number(backoff) },
    watchdog: SLACK * Number(silence),
    openTimeout: SLACK * Number(opening),
    // The longest times that can be drawn: what is asked too late is so in each run.
    environment: {
      random: () => 0.999,
      WebSocket: WebSocket as never,
      EventSource: EventSource as never,
      report: () => {},
    },
  });
}
