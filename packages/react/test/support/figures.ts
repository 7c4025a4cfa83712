// What the server counts.

import type { Server } from '@tidings/testkit';

/** Streams (SSE and WebSocket) as `/metrics` has them. */
export interface Figures {
  /** Open now. */
  readonly streams: number;
  /** Opened since the server started. */
  readonly opened: number;
}

function sum(text: string, name: string): number {
  const rows = text.split('\n').filter((line) => line.startsWith(`${name}{`));
  return rows.reduce((total, row) => total + Number(row.split(' ').at(-1)), 0);
}

export async function figures({ url }: Pick<Server, 'url'>): Promise<Figures> {
  const text = await (await fetch(`${url}/metrics`)).text();
  return { streams: sum(text, 'tidings_streams'), opened: sum(text, 'tidings_streams_opened_total') };
}

/** Waits until something holds of what `look` answers. */
export async function until<Seen>(
  what: string,
  look: () => Seen | Promise<Seen>,
  holds: (seen: Seen) => boolean,
  within = 20_000,
): Promise<Seen> {
  const end = Date.now() + within;
  for (;;) {
    const seen = await look();
    if (holds(seen)) return seen;
    if (Date.now() > end)
      throw new Error(`still waiting for ${what} after ${within} ms: ${JSON.stringify(seen)?.slice(0, 4000)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
