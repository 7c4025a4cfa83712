// Runs a snippet as a backend would: a process of Node with the server's address and a key in its environment.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { surroundings } from '@tidings/testkit';
import { bundle } from './bundle.ts';

/** What a snippet finds: of the cast that it tells of, and what has happened to it. */
export interface Facts {
  /** Several: `cast.id` is the first three times it is asked the first, then the second. */
  readonly castIds: readonly string[];
  readonly userId: string;
  readonly action?: 'in_progress' | 'completed';
  readonly isSuccess?: boolean;
}

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly errors: string;
}

/** Runs `entry`, a module's text. */
export async function runBackend(entry: string, url: string, key: string, facts: Facts): Promise<Ended> {
  const folder = await mkdtemp(join(tmpdir(), 'tidings-snippets-'));
  try {
    const path = join(folder, 'backend.mjs');
    await writeFile(path, await bundle(entry, 'node'));
    const env = { ...surroundings(), TIDINGS_URL: url, TIDINGS_API_KEY: key, FACTS: JSON.stringify(facts) };
    const child = spawn(process.execPath, [path], { env, stdio: ['ignore', 'ignore', 'pipe'], timeout: 20_000 });
    let errors = '';
    child.stderr.on('data', (text) => {
      errors += text;
    });
    const [code] = await once(child, 'close');
    return { code, errors };
  } finally {
    await rm(folder, { recursive: true });
  }
}
