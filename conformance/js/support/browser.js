// Chromium, and the page it shows: served on loopback from an origin of its own.

import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { chromium } from 'playwright-core';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** Chromium with one page of a small web server. */
export class Browser {
  #server;
  #browser;
  /** Requests that were forwarded, and what came back so far: `{path, lastEventId, text}`. */
  forwarded = [];

  static async start() {
    const browser = new Browser();
    browser.#server = createServer((asked, answer) => browser.#answer(asked, answer)).listen(0, '127.0.0.1');
    await once(browser.#server, 'listening');
    browser.origin = `http://127.0.0.1:${browser.#server.address().port}`;
    browser.#browser = await chromium.launch({
      executablePath,
      args: ['--no-sandbox', '--disable-background-networking'],
    });
    browser.page = await browser.newPage();
    return browser;
  }

  /** A page of the web server, by default under its own origin. */
  async newPage(origin = this.origin) {
    const page = await this.#browser.newPage();
    await page.goto(origin);
    return page;
  }

  /** The same web server under a name of which Tidings has not been told. */
  get strangeOrigin() {
    return this.origin.replace('127.0.0.1', 'localhost');
  }

  /** Lets the web server pass `/forward…` on to a Tidings server with a credential, as an application's backend does. */
  forwardTo(port, key) {
    this.#target = { port, key };
  }
  #target;

  #answer(asked, answer) {
    if (!asked.url.startsWith('/forward')) {
      answer.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>Tidings</title>');
      return;
    }
    const { port, key } = this.#target;
    const lastEventId = asked.headers['last-event-id'];
    const path = asked.url.slice('/forward'.length);
    const seen = { path, lastEventId, text: '' };
    this.forwarded.push(seen);
    const headers = { authorization: `Bearer ${key}`, ...(lastEventId && { 'last-event-id': lastEventId }) };
    const upstream = request({ host: '127.0.0.1', port, path, headers }, (response) => {
      answer.writeHead(response.statusCode, response.headers);
      response.pipe(answer);
      response.on('data', (bytes) => (seen.text += bytes));
      response.on('error', () => answer.destroy());
    });
    // A server that is away is a network error to the page, not an answer.
    upstream.on('error', () => answer.destroy());
    answer.on('close', () => upstream.destroy());
    upstream.end();
  }

  async stop() {
    await this.#browser?.close();
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
