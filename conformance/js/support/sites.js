// Several sites under names of their own, all on loopback and under TLS: what the browser takes for another site is one.

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';

const run = promisify(execFile);
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** A web server that shows a page under every name in `*.test`, and browsers for which these are on loopback. */
export class Sites {
  #folder;
  #ca;
  #server;

  static async start() {
    const sites = new Sites();
    sites.#folder = await mkdtemp(join(tmpdir(), 'tidings-sites-'));
    sites.cert = join(sites.#folder, 'cert.pem');
    sites.key = join(sites.#folder, 'key.pem');
    const names = 'subjectAltName=DNS:*.example.test,DNS:*.other.test,IP:127.0.0.1';
    await run('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', '/CN=sites.test'],
      ...['-addext', names, '-keyout', sites.key, '-out', sites.cert],
    ]);
    const options = { cert: await readFile(sites.cert), key: await readFile(sites.key) };
    const page = (_, answer) => answer.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>A site</title>');
    sites.#ca = options.cert;
    sites.#server = createServer(options, page).listen(0, '127.0.0.1');
    await once(sites.#server, 'listening');
    return sites;
  }

  /** The origin of the web server under a name. */
  origin(name) {
    return `https://${name}:${this.#server.address().port}`;
  }

  /** A browser that has never been anywhere, and blocks no cookies across sites, as many do now. */
  async visitor() {
    const profile = await mkdtemp(join(this.#folder, 'profile-'));
    await mkdir(join(profile, 'Default'));
    await writeFile(join(profile, 'Default', 'Preferences'), JSON.stringify({ profile: { cookie_controls_mode: 0, block_third_party_cookies: false } }));
    const args = ['--no-sandbox', '--disable-background-networking', '--ignore-certificate-errors', '--host-resolver-rules=MAP *.test 127.0.0.1'];
    return chromium.launchPersistentContext(profile, { executablePath, args });
  }

  /** What posts to a server that has these sites' certificate, as the `request` of a helper. */
  requestTo(port) {
    return (path, { key, body }) =>
      new Promise((done, failed) => {
        const headers = { authorization: `Bearer ${key}` };
        const asked = request({ host: '127.0.0.1', port, path, method: 'POST', headers, ca: this.#ca }, (answer) => {
          let text = '';
          answer.setEncoding('utf8').on('data', (piece) => (text += piece));
          answer.on('end', () => done({ status: answer.statusCode, text: async () => text }));
        });
        asked.on('error', failed).end(body);
      });
  }

  async stop() {
    this.#server.closeAllConnections();
    this.#server.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
