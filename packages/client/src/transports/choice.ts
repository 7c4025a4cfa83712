// Which transports a client may use, by its options and what the runtime has.

import { check, refuse } from '../check.ts';
import type { Loadable } from '../driver.ts';
import type { Environment } from '../environment.ts';
import type { ClientOptions, TransportName } from '../options.ts';
import type { Transport } from './transport.ts';

const LOADERS: { readonly [name in TransportName]: () => Promise<Transport> } = {
  websocket: async () => (await import('./websocket.ts')).websocket,
  sse: async () => (await import('./sse.ts')).sse,
  eventsource: async () => (await import('./eventsource.ts')).eventsource,
  poll: async () => (await import('./poll.ts')).poll,
};

/** What a transport needs of the runtime, so that one that cannot work is not loaded. */
function isPossible(name: TransportName, { WebSocket, EventSource, fetch }: Environment): boolean {
  if (fetch === undefined) return false;
  return name === 'websocket' ? WebSocket !== undefined : name === 'eventsource' ? EventSource !== undefined : true;
}

/**
 * The transports that may be used, the best first, each loaded when it is needed.
 *
 * @throws TypeError or RangeError for what is no list of transports.
 */
export function transportsOf(options: ClientOptions, environment: Environment): Loadable[] {
  const best: readonly TransportName[] = options.auth === undefined ? ['websocket', 'sse'] : ['sse', 'websocket'];
  const { transports = [...best, 'eventsource', 'poll'] } = options;
  check('options.transports', transports, ['string or object']);
  const loadable: Loadable[] = [];
  for (const transport of transports) {
    if (typeof transport !== 'string') {
      check('options.transports.isSupported', transport.isSupported, 'function');
      if (transport.isSupported(environment)) loadable.push({ name: transport.name, load: async () => transport });
    } else if (!Object.hasOwn(LOADERS, transport)) {
      refuse('options.transports', transport, `one of ${Object.keys(LOADERS).join(', ')}`);
    } else if (isPossible(transport, environment)) {
      loadable.push({ name: transport, load: LOADERS[transport] });
    }
  }
  return loadable;
}
