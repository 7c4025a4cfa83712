// Chromium, free ports, and a small web server for what a build made.

import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

export async function startChromium(): Promise<Browser> {
  const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-background-networking'] });
}

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A port that nobody has just now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  server.close();
  await once(server, 'close');
  return port;
}

const TYPES: { readonly [extension: string]: string } = { '.html': 'text/html', '.js': 'text/javascript' };

/** Files of a folder, which is said once it is there. */
export class Files {
  folder = '';
  readonly #server = createServer(async ({ url = '/' }, answer) => {
    const path = new URL(url, 'http://files.test').pathname.replace(/\/$/, '/index.html');
    const bytes = await readFile(join(this.folder, path)).catch(() => undefined);
    answer.writeHead(bytes === undefined ? 404 : 200, { 'content-type': TYPES[extname(path)] ?? 'text/plain' });
    answer.end(bytes);
  });

  static async start(): Promise<{ readonly files: Files; readonly port: number }> {
    const files = new Files();
    return { files, port: await listen(files.#server) };
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

/** Waits until something holds. */
export async function until(what: () => string, holds: () => Promise<boolean>, within = 30_000): Promise<void> {
  const end = Date.now() + within;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`still waiting: ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
