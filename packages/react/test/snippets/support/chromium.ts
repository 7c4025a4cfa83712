// Chromium with pages that stand under the server's own origin, so that its cookies, requests and streams are the real
// server's.

import type { Server, User } from '@tidings/testkit';
import { type BrowserContext, type Browser as Chrome, chromium, type Page } from 'playwright-core';
import type { Given, Told } from '../page/told.ts';

const HTML = `<!doctype html><title>Tidings</title><link rel="icon" href="data:,"><div id="root"></div>
  <script type="module" src="/page/code.js"></script>`;

/** What a browser keeps of a user who has signed in. */
export type Cookies = Awaited<ReturnType<BrowserContext['storageState']>>;

/** A browser. */
export class Chromium {
  readonly #chrome: Chrome;

  private constructor(chrome: Chrome) {
    this.#chrome = chrome;
  }

  static async start(): Promise<Chromium> {
    const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
    const args = ['--no-sandbox', '--disable-background-networking'];
    return new Chromium(await chromium.launch({ executablePath, args }));
  }

  /** Signs a user in by the server's own route; answers the cookies, for as many browsers as are wanted. */
  async signIn({ url }: Server, { email, password }: User): Promise<Cookies> {
    const context = await this.#chrome.newContext({ baseURL: url });
    const answer = await context.request.post('/auth/login', { data: { email, password } });
    if (!answer.ok()) throw new Error(`not signed in: ${answer.status()} ${await answer.text()}`);
    const cookies = await context.storageState();
    await context.close();
    return cookies;
  }

  /** A browser of its own with these cookies; whatever is under the server's `/page/` has this code. */
  async visitor({ url }: Server, code: string, cookies: Cookies): Promise<BrowserContext> {
    const context = await this.#chrome.newContext({ baseURL: url, storageState: cookies });
    context.setDefaultTimeout(15_000);
    await context.route(`${url}/page/**`, (route) =>
      route.request().url().endsWith('/page/code.js')
        ? route.fulfill({ contentType: 'text/javascript', body: code })
        : route.fulfill({ contentType: 'text/html', body: HTML }),
    );
    return context;
  }

  async stop(): Promise<void> {
    await this.#chrome.close();
  }
}

/** A page that is open. */
export class Opened {
  readonly page: Page;
  /** What was written to the console, as `type: text`. */
  readonly lines: string[] = [];
  /** What was thrown and caught by nobody. */
  readonly errors: string[] = [];
  /** What was asked of the server's API, as `METHOD path`. */
  readonly requests: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    page.on('console', (message) => this.lines.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => this.errors.push(String(error)));
    page.on('request', (request) => {
      const { pathname } = new URL(request.url());
      if (!pathname.startsWith('/page/')) this.requests.push(`${request.method()} ${pathname}`);
    });
  }

  /** Opens `/page/{path}`. */
  static async at(context: BrowserContext, path: string, given: Given): Promise<Opened> {
    const opened = new Opened(await context.newPage());
    await opened.page.goto(`/page/${path}?${new URLSearchParams({ given: JSON.stringify(given) })}`);
    return opened;
  }

  /** Waits until an element has exactly this text. */
  async sees(selector: string, text: string): Promise<void> {
    const quoted = text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
    await this.page
      .locator(selector, { hasText: new RegExp(`^${quoted}$`) })
      .first()
      .waitFor();
  }

  /** Waits until there is no such element. */
  async misses(selector: string): Promise<void> {
    await this.page.locator(selector).first().waitFor({ state: 'detached' });
  }

  /** What stands in an element, read as JSON. */
  async shown(): Promise<Record<string, unknown>> {
    return JSON.parse((await this.page.locator('pre').textContent()) ?? '{}');
  }

  /** What the page has told since it was loaded. */
  async told(): Promise<Omit<Told, 'functions'>> {
    return this.page.evaluate(() => ({ ...window.told, functions: undefined }));
  }

  /** Calls a function that the page has given away, and waits for what it waits for. */
  async call(name: string): Promise<void> {
    await this.page.evaluate((key) => window.told.functions[key]?.(), name);
  }

  /** Lines of the console that begin so, without that. */
  said(beginning: string): string[] {
    return this.lines.filter((line) => line.startsWith(beginning)).map((line) => line.slice(beginning.length));
  }
}
