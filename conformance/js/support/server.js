// The real binary, started for one test file: its process, its configuration, its keys.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const run = promisify(execFile);
const repository = new URL('../../../', import.meta.url).pathname;
const binary = resolve(process.env.TIDINGS_BIN ?? join(repository, 'target/quick/tidings'));

/** Tests open more streams a minute than any one client would. */
const OPEN_GATES = `
limits.connects_per_minute.api_key = 0
limits.connects_per_minute.anonymous = 0
`;

/** The surroundings of the process, without what the caller has set for a server or client of their own. */
function surroundings() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TIDINGS_')));
}

export class Server {
  #directory;
  #process;
  #names = 0;

  /** Starts a server with this configuration (TOML) on a free port and an empty log. */
  static async start(toml = '') {
    const server = new Server();
    server.#directory = await mkdtemp(join(tmpdir(), 'tidings-js-'));
    await writeFile(join(server.#directory, 'tidings.toml'), toml + OPEN_GATES);
    await server.#spawn();
    return server;
  }

  get #local() {
    return ['--config', join(this.#directory, 'tidings.toml'), '--data-dir', join(this.#directory, 'data')];
  }

  async #spawn() {
    // Any free port the first time; a server that comes back is found where it was.
    const args = ['--json', 'serve', '--listen', `127.0.0.1:${this.port ?? 0}`, ...this.#local];
    const process = spawn(binary, args, { env: surroundings(), stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    process.stderr.on('data', (text) => (said = (said + text).slice(-4_000)));
    this.#process = process;
    const failed = Promise.race([once(process, 'exit'), once(process, 'error')]);
    const line = await Promise.race([once(createInterface(process.stdout), 'line'), failed.then(() => undefined)]);
    if (!line) throw new Error(`the server did not start: ${said}`);
    this.port = Number(JSON.parse(line[0]).listen[0].split(':').at(-1));
    this.url = `http://127.0.0.1:${this.port}`;
  }

  async #end(signal) {
    const process = this.#process;
    if (process.exitCode !== null || process.signalCode !== null) return;
    process.kill(signal);
    await once(process, 'exit');
  }

  /** Ends the server as an operator does, and starts it again on the same port and log. */
  async restart() {
    await this.#end('SIGTERM');
    await this.#spawn();
  }

  /** Ends the server at once, as a crash does, and starts it again. */
  async crash() {
    await this.#end('SIGKILL');
    await this.#spawn();
  }

  /** Ends the server and removes what it kept. */
  async stop() {
    await this.#end('SIGKILL');
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** Runs a command of the binary for this server; answers what it prints as JSON. */
  async command(...args) {
    const { stdout } = await run(binary, ['--json', ...args, ...this.#local], { env: surroundings() });
    return JSON.parse(stdout);
  }

  /** Makes a key `{id, key}`. */
  async key(grants = ['publish:*', 'subscribe:*']) {
    this.#names += 1;
    const flags = grants.flatMap((grant) => ['--grant', grant]);
    return this.command('key', 'create', '--name', `test-${this.#names}`, ...flags);
  }

  /** Revokes a key for good. */
  async revoke(id) {
    return this.command('key', 'revoke', id);
  }

  /** A request with a credential. */
  async request(path, { key, body, headers = {}, ...rest } = {}) {
    const credential = key ? { authorization: `Bearer ${key}` } : {};
    const method = body === undefined ? 'GET' : 'POST';
    return fetch(this.url + path, { method, body, headers: { ...credential, ...headers }, ...rest });
  }

  /** Publishes a body, text or value; answers the ids. */
  async publish(key, body) {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const answer = await this.request('/v1/publish', { key, body: text });
    if (!answer.ok) throw new Error(`publish: ${answer.status} ${await answer.text()}`);
    return (await answer.json()).events.map((event) => event.id);
  }

  /** A ticket for these channels. */
  async ticket(key, channels, origin) {
    const answer = await this.request('/v1/tickets', { key, body: JSON.stringify({ channels, origin }) });
    if (!answer.ok) throw new Error(`ticket: ${answer.status} ${await answer.text()}`);
    return (await answer.json()).ticket;
  }
}
