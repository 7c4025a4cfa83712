// A client in this process.

import WebSocket from 'ws';
import { createClient, type TransportName } from '../../src/index.ts';
import { CountedTimers } from '../support/timers.ts';
import { type Rig, type RigOptions, timesFor } from './rig.ts';

export function nodeRig({ url, key, transport }: RigOptions): Rig {
  const ids: { [channel: string]: string[] } = {};
  const [gaps, errors]: [string[], string[]] = [[], []];
  const timers = new CountedTimers();
  const client = createClient({
    url,
    auth: () => key,
    transports: [transport as TransportName],
    ...timesFor(transport),
    environment: {
      WebSocket: WebSocket as never,
      after: timers.after,
    },
  });
  return {
    told: async () => {
      const { state, error } = client.status;
      return { ids, gaps, errors, state, code: error?.code ?? null };
    },
    subscribe: async (channel) => {
      const seen: string[] = [];
      ids[channel] = seen;
      client.subscribe(channel, {
        onEvent: ({ id }) => void seen.push(id),
        onGap: ({ reason }) => void gaps.push(reason),
        onError: (error) => void errors.push(String(error)),
      });
    },
    reconnect: async () => client.reconnect(),
    close: async () => {
      client.close();
      // What was under way ends within a few turns, which may be long ones.
      for (const end = Date.now() + 15_000; timers.running > 0 && Date.now() < end; )
        await new Promise((resolve) => setTimeout(resolve, 10));
      return timers.running;
    },
  };
}
