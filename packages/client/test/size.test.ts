// How much each entry brings to a page: minified, with what it imports, without what it loads later; gzip.

import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';
import { describe, expect, test } from 'vitest';

const KB = 1000;
/** The core and what stands beside it, in bytes. An entry that a page has with the core shares code with it. */
const BUDGETS = {
  'src/index.ts': 8 * KB,
  'src/transports/websocket.ts': 4 * KB,
  'src/transports/sse.ts': 4 * KB,
  'src/transports/eventsource.ts': 4 * KB,
  'src/transports/poll.ts': 4 * KB,
  'src/casts/index.ts': 4 * KB,
  'src/debug.ts': 4 * KB,
  // What the core loads when something is first subscribed, and when a record is first followed.
  'src/machine/machine.ts': 4 * KB,
  // What runs it, with it.
  'src/driver.ts': 6 * KB,
  // Some of it a page has with the core: what compares cursors.
  'src/tabs/index.ts': 4.3 * KB,
  'src/requests.ts': 4 * KB,
  'src/snapshot.ts': 4 * KB,
} as const;

async function sizeOf(entry: string): Promise<number> {
  const cwd = new URL('..', import.meta.url).pathname;
  const build = await rolldown({ input: entry, cwd, platform: 'browser', logLevel: 'silent' });
  const { output } = await build.generate({ format: 'esm', minify: true });
  const chunks = new Map(output.flatMap((chunk) => (chunk.type === 'chunk' ? [[chunk.fileName, chunk] as const] : [])));
  const first = [...chunks.values()].find(({ isEntry }) => isEntry);
  const [names, seen] = [[first?.fileName ?? ''], new Set<string>()];
  let bytes = 0;
  for (let name = names.pop(); name !== undefined; name = names.pop()) {
    const chunk = chunks.get(name);
    if (chunk === undefined || seen.has(name)) continue;
    seen.add(name);
    bytes += gzipSync(chunk.code, { level: 9 }).length;
    names.push(...chunk.imports);
  }
  await build.close();
  return bytes;
}

describe('sizes', () => {
  for (const [entry, budget] of Object.entries(BUDGETS)) {
    test(`${entry} has at most ${budget} bytes`, async () => {
      const bytes = await sizeOf(entry);
      console.log(`${entry}: ${bytes} of ${budget} bytes (gzip)`);
      expect(bytes).toBeGreaterThan(100);
      expect(bytes).toBeLessThanOrEqual(budget);
    });
  }
});
