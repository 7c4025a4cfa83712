// How much each entry brings to a page: minified, with what it imports, without what it loads later; gzip.

import { sizeOf } from '@tidings/testkit/size';
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

const cwd = new URL('..', import.meta.url).pathname;

describe('sizes', () => {
  for (const [entry, budget] of Object.entries(BUDGETS)) {
    test(`${entry} has at most ${budget} bytes`, async () => {
      const bytes = await sizeOf(entry, { cwd });
      console.log(`${entry}: ${bytes} of ${budget} bytes (gzip)`);
      expect(bytes).toBeGreaterThan(100);
      expect(bytes).toBeLessThanOrEqual(budget);
    });
  }
});
