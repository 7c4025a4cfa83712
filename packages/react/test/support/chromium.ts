// Chromium, as tests use it.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { User } from '@tidings/testkit';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';

const ARGS = ['--no-sandbox', '--disable-background-networking'];
const PATH = process.env['CHROMIUM'] ?? '/usr/bin/chromium';

/** Starts it. */
export function launch(): Promise<Browser> {
  return chromium.launch({ executablePath: PATH, args: ARGS });
}

/**
 * A Chromium whose tabs hide each other. Playwright holds every page of a browser that it starts to be the one in front;
 * one that it finds running is left as it is.
 */
export class Tabs {
  readonly #process: ChildProcess;
  readonly #profile: string;
  readonly #browser: Browser;

  private constructor(child: ChildProcess, profile: string, browser: Browser) {
    this.#process = child;
    this.#profile = profile;
    this.#browser = browser;
  }

  static async launch(): Promise<Tabs> {
    const profile = await mkdtemp(join(tmpdir(), 'tidings-tabs-'));
    const own = ['--headless', '--remote-debugging-port=0', '--no-first-run', `--user-data-dir=${profile}`];
    const child = spawn(PATH, [...ARGS, ...own, 'about:blank'], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    const address = await new Promise<string>((resolve, reject) => {
      child.stderr.on('data', (text) => {
        said = (said + text).slice(-4000);
        const found = /DevTools listening on (\S+)/.exec(said)?.[1];
        if (found !== undefined) resolve(found);
      });
      child.once('error', reject);
      child.once('exit', () => reject(new Error(`Chromium did not start: ${said}`)));
    });
    return new Tabs(child, profile, await chromium.connectOverCDP(address, { noDefaults: true }));
  }

  get context(): BrowserContext {
    const context = this.#browser.contexts()[0];
    if (context === undefined) throw new Error('a Chromium without a context');
    return context;
  }

  async stop(): Promise<void> {
    await this.#browser.close();
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      const gone = once(this.#process, 'exit');
      this.#process.kill();
      await gone;
    }
    await rm(this.#profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** What went wrong in a page without anybody catching it, and what it wrote as an error. */
export function complaints(page: Page): string[] {
  const found: string[] = [];
  page.on('pageerror', (error) => found.push(`thrown: ${error.stack ?? error.message}`));
  page.on('console', (message) => {
    // Chromium writes a line for each request that fails.
    const isRequest = /^Failed to load resource|^WebSocket connection to|blocked by CORS policy/.test(message.text());
    if (message.type() === 'error' && !isRequest) found.push(message.text());
  });
  return found;
}

/** Signs a page in by the session's cookie. */
export async function signIn(page: Page, url: string, { email, password }: User): Promise<void> {
  const options = { method: 'POST', credentials: 'include', body: JSON.stringify({ email, password }) };
  const asked = `fetch('${url}/auth/login', ${JSON.stringify(options)}).then(({ status }) => status)`;
  const status = await page.evaluate(asked);
  if (status !== 200) throw new Error(`signing in: ${status}`);
}
