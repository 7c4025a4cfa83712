// What the server has counted.

import type { Server } from '@tidings/testkit';

/** A counter's sum over all of its labels; those that have these pairs, where pairs are named. */
export async function counted(server: Server, name: string, ...pairs: readonly string[]): Promise<number> {
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`));
  const chosen = lines.filter((line) => pairs.every((pair) => line.includes(pair)));
  return chosen.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

/** How many streams were opened. */
export function streamsOpened(server: Server): Promise<number> {
  return counted(server, 'tidings_streams_opened_total');
}
