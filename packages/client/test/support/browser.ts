// Chromium with a page that has the client, built from its source.

import { once } from 'node:events';
import { createServer, type Server as HttpServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Browser as Chromium, chromium, type Page } from 'playwright-core';
import { rolldown } from 'rolldown';

/** Puts the client and what tests say to it on the page, as `window.tidings`. */
const ENTRY = `
import { createClient } from './src/index.ts';
import { followCast } from './src/casts/index.ts';
import { debug } from './src/debug.ts';

const rigs = new Map();
let names = 0;
window.tidings = {
  make(options) {
    const [told, clients] = [{ ids: {}, data: [], gaps: [], errors: [], statuses: [], lines: [] }, {}];
    const { token, traced, ...rest } = options;
    const client = createClient({
      ...rest,
      ...(token !== undefined && { auth: () => token }),
      ...(traced !== undefined && { trace: debug(traced, (...words) => told.lines.push(words.slice(0, 2).join(' '))) }),
    });
    client.onStatus(({ state, transport }) => told.statuses.push(state + ' ' + transport));
    names += 1;
    rigs.set(names, { client, told });
    return names;
  },
  subscribe(name, what) {
    const { client, told } = rigs.get(name);
    const channel = typeof what === 'string' ? what : what.channels;
    const seen = (told.ids[channel] = []);
    const subscription = client.subscribe(what, {
      onEvent: ({ id, data }) => { seen.push(id); told.data.push(data); },
      onGap: ({ reason }) => told.gaps.push(reason),
      onError: (error) => told.errors.push(String(error)),
    });
    return subscription.ready.then(() => 'ready', (error) => error.code);
  },
  start(name, what) { this.subscribe(name, what); },
  follow(name, ids) {
    const { client, told } = rigs.get(name);
    const followings = ids.map((id) => followCast(client, id, { onFailure: (error) => told.errors.push(String(error)) }));
    return Promise.all(followings.map(({ ready }) => ready)).then(() => followings.map(({ cast }) => cast.status));
  },
  told(name) {
    const { client, told } = rigs.get(name);
    const { state, transport, error } = client.status;
    return { ...told, state, transport, code: error && error.code };
  },
  reconnect(name) { rigs.get(name).client.reconnect(); },
  close(name) { rigs.get(name).client.close(); rigs.delete(name); },
};
`;

async function bundle(): Promise<string> {
  const cwd = new URL('../..', import.meta.url).pathname;
  const build = await rolldown({
    input: 'page',
    cwd,
    platform: 'browser',
    logLevel: 'silent',
    plugins: [
      {
        name: 'page',
        resolveId: (id) => (id === 'page' ? `${cwd}page.js` : null),
        load: (id) => (id === `${cwd}page.js` ? ENTRY : null),
      },
    ],
  });
  const { output } = await build.generate({ format: 'esm', codeSplitting: false });
  await build.close();
  return output[0].code;
}

/** A browser, and a small web server with one page. */
export class Browser {
  readonly #server: HttpServer;
  readonly #chromium: Chromium;
  readonly page: Page;
  readonly #hung: Set<ServerResponse>;

  private constructor(server: HttpServer, browser: Chromium, page: Page, hung: Set<ServerResponse>) {
    this.#server = server;
    this.#chromium = browser;
    this.page = page;
    this.#hung = hung;
  }

  static async start(): Promise<Browser> {
    const code = await bundle();
    const hung = new Set<ServerResponse>();
    const server = createServer(({ url }, answer) => {
      if (url === '/hang') {
        hung.add(answer);
        return;
      }
      const isCode = url === '/client.js';
      answer.writeHead(200, { 'content-type': isCode ? 'text/javascript' : 'text/html' });
      answer.end(
        isCode ? code : '<!doctype html><title>Tidings</title><script type="module" src="/client.js"></script>',
      );
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
    const args = ['--no-sandbox', '--disable-background-networking'];
    const browser = await chromium.launch({ executablePath, args });
    const page = await browser.newPage();
    const made = new Browser(server, browser, page, hung);
    await made.load(page);
    return made;
  }

  /** The origin of its page. */
  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async load(page: Page): Promise<void> {
    await page.goto(this.origin);
    await page.waitForFunction('window.tidings !== undefined');
  }

  /** Lets nothing run in a page, until what this answers is called; that resolves once the page goes on. */
  async hang(page: Page): Promise<() => Promise<void>> {
    const before = this.#hung.size;
    // A request that the page's only thread waits for.
    const over = page.evaluate(
      "{ const asked = new XMLHttpRequest(); asked.open('GET', '/hang', false); asked.send(); }",
    );
    const end = Date.now() + 20_000;
    while (this.#hung.size === before) {
      if (Date.now() > end) throw new Error('the page does not hang');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return async () => {
      for (const answer of this.#hung) answer.end();
      this.#hung.clear();
      await over;
    };
  }

  /** Calls a function of `window.tidings` in the page. */
  call<Answer>(name: string, ...words: unknown[]): Promise<Answer> {
    const text = `window.tidings.${name}(...${JSON.stringify(words)})`;
    return this.page.evaluate(text) as Promise<Answer>;
  }

  async stop(): Promise<void> {
    await this.#chromium.close();
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
