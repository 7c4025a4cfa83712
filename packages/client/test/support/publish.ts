// Publishing for tests.

import type { Server } from '@tidings/testkit';
import type { Draft } from '../../src/index.ts';

/** Publishes events in one batch; answers their ids. */
export async function publish(server: Server, key: string, ...events: Draft[]): Promise<string[]> {
  const response = await fetch(`${server.url}/v1/publish`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ events }),
  });
  if (!response.ok) throw new Error(`publish: ${response.status} ${await response.text()}`);
  const answer = (await response.json()) as { events: { id: string }[] };
  return answer.events.map(({ id }) => id);
}

/** Publishes so many events with the data `from`, `from + 1`, … to a channel. */
export function publishNumbers(
  server: Server,
  key: string,
  channel: string,
  count: number,
  from = 0,
): Promise<string[]> {
  return publish(server, key, ...Array.from({ length: count }, (_, n) => ({ channel, type: 't', data: from + n })));
}
