// A small web server of a test: pages with their scripts, and whatever else a test has it answer.

import { once } from 'node:events';
import { createServer, type Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { bundle, type Mode } from './bundle.ts';

export type Answer = (asked: IncomingMessage, answer: ServerResponse) => void | Promise<void>;

/** Serves `/{name}` for each page that was added, with an empty `<div id="root">`. */
export class Site {
  readonly #http: HttpServer;
  readonly #answers = new Map<string, Answer>();

  private constructor() {
    this.#http = createServer((asked, answer) => {
      const path = new URL(asked.url ?? '/', 'http://site').pathname;
      const found = this.#answers.get(path) ?? this.#answers.get(path.replace(/[^/]+$/, '*'));
      if (found !== undefined) return void found(asked, answer);
      answer.writeHead(404).end();
    });
  }

  static async start(): Promise<Site> {
    const site = new Site();
    site.#http.listen(0, '127.0.0.1');
    await once(site.#http, 'listening');
    return site;
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  /** Answers a path, or, where it ends in `/*`, what stands below it. */
  on(path: string, answer: Answer): void {
    this.#answers.set(path, answer);
  }

  /** Adds a page whose script is this module; answers its address. */
  async page(name: string, entry: string, mode: Mode): Promise<string> {
    const code = await bundle(entry, mode);
    const html = `<!doctype html><title>${name}</title><link rel="icon" href="data:,"><div id="root"></div>
      <script type="module" src="/${name}.js"></script>`;
    this.on(`/${name}`, (_, answer) => void answer.writeHead(200, { 'content-type': 'text/html' }).end(html));
    this.on(`/${name}.js`, (_, answer) => void answer.writeHead(200, { 'content-type': 'text/javascript' }).end(code));
    return `${this.origin}/${name}`;
  }

  async stop(): Promise<void> {
    this.#http.closeAllConnections();
    this.#http.close();
    await once(this.#http, 'close');
  }
}
