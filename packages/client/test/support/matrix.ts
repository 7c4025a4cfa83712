// The transports that run in Node, each with what makes it the only one.

import WebSocket from 'ws';
import type { ClientOptions } from '../../src/index.ts';
import { type Client, createClient } from '../../src/index.ts';

export const IN_NODE = ['websocket', 'sse', 'poll'] as const;

const open = new Set<Client>();

/** A client that uses one transport alone, with short times. */
export function clientOf(transport: string, options: ClientOptions): Client {
  const client = createClient({
    transports: [transport as 'sse'],
    backoff: { initial: 50, max: 500 },
    linger: 50,
    ...options,
    environment: { WebSocket: WebSocket as never, ...options.environment },
  });
  open.add(client);
  return client;
}

/** Closes every client that was made. */
export function closeClients(): void {
  for (const client of open) client.close();
  open.clear();
}
