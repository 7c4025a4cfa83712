// A thousand seeded runs behind a proxy that fails: nothing lost or doubled, the right state, nothing left behind.
//
// TIDINGS_RUNS runs for each transport (250); TIDINGS_TEST_SEED the first seed. `TIDINGS_RUNS=1 TIDINGS_TEST_SEED=n` runs
// the nth again.

import { Server } from '@tidings/testkit';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { Browser } from '../support/browser.ts';
import { IN_NODE } from '../support/matrix.ts';
import { browserRig } from './browser-rig.ts';
import { nodeRig } from './node-rig.ts';
import type { RigOptions } from './rig.ts';
import { report, run, runAll, type Struck } from './run.ts';

const RUNS = Number(process.env['TIDINGS_RUNS'] ?? 250);
const FIRST = Number(process.env['TIDINGS_TEST_SEED'] ?? 1);
const AT_ONCE = 12;

let server: Server;
let key: string;
let browser: Browser;
beforeAll(async () => {
  browser = await Browser.start();
  server = await Server.start(`stream.heartbeat = "500ms"\ncors.origins = ["${browser.origin}"]\n`);
  key = (await server.key()).key;
});
afterAll(async () => {
  await browser?.stop();
  await server?.stop();
});

const seeds = Array.from({ length: RUNS }, (_, n) => FIRST + n);

describe('faults', () => {
  for (const transport of IN_NODE) {
    test(`${transport}: ${RUNS} runs`, { timeout: 900_000 }, async () => {
      const struck: Struck = new Map();
      await runAll(seeds, AT_ONCE, (seed) => run({ server, key, transport, seed, struck, makeRig: nodeRig }));
      if (RUNS >= 50) report(transport, RUNS, struck);
    });
  }

  // Node has none; Chromium's own.
  test(`eventsource: ${RUNS} runs`, { timeout: 900_000 }, async () => {
    const transport = 'eventsource';
    const struck: Struck = new Map();
    const makeRig = (options: RigOptions) => browserRig(browser, options);
    await runAll(seeds, AT_ONCE, (seed) => run({ server, key, transport, seed, struck, makeRig }));
    if (RUNS >= 50) report(transport, RUNS, struck);
  });
});
