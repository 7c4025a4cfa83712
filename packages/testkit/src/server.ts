// The real binary, started for a test: its process, its configuration, its keys.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Tests open more streams a minute than any one client would. */
const OPEN_GATES = `
limits.connects_per_minute.api_key = 0
limits.connects_per_minute.session = 0
limits.connects_per_minute.anonymous = 0
`;

/** The binary under test. */
export function binary(): string {
  const path = process.env['TIDINGS_BIN'];
  if (!path) throw new Error('these tests need the server: set TIDINGS_BIN to the path of the binary `tidings`');
  return resolve(path);
}

/** The surroundings of a process, without what the caller has set for a server or client of their own. */
export function surroundings(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('TIDINGS_')));
}

/** An API key. */
export interface Key {
  readonly id: string;
  readonly key: string;
}

/** A user with a password. */
export interface User {
  readonly id: string;
  readonly email: string;
  readonly password: string;
}

/** A server of its own: free port, empty log. */
export class Server {
  readonly #directory: string;
  #process: ChildProcess | undefined;
  #names = 0;
  #port = 0;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** Starts a server with this configuration (TOML). */
  static async start(toml = ''): Promise<Server> {
    binary();
    const server = new Server(await mkdtemp(join(tmpdir(), 'tidings-packages-')));
    await writeFile(join(server.#directory, 'tidings.toml'), OPEN_GATES + toml);
    await server.#spawn();
    return server;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get #local(): string[] {
    return ['--config', join(this.#directory, 'tidings.toml'), '--data-dir', join(this.#directory, 'data')];
  }

  async #spawn(): Promise<void> {
    // Any free port the first time; a server that comes back is found where it was.
    const args = ['--json', 'serve', '--listen', `127.0.0.1:${this.#port}`, ...this.#local];
    const child = spawn(binary(), args, { env: surroundings(), stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    child.stderr.on('data', (text) => {
      said = (said + text).slice(-4_000);
    });
    this.#process = child;
    const failed = Promise.race([once(child, 'exit'), once(child, 'error')]).then(() => undefined);
    const line = await Promise.race([once(createInterface(child.stdout), 'line'), failed]);
    if (line === undefined) throw new Error(`the server did not start: ${said}`);
    const { listen } = JSON.parse(line[0]) as { listen: string[] };
    this.#port = Number(listen[0]?.split(':').at(-1));
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    child.kill(signal);
    await once(child, 'exit');
  }

  /** Ends the server as an operator does, and starts it again on the same port and log. */
  async restart(): Promise<void> {
    await this.#end('SIGTERM');
    await this.#spawn();
  }

  /** Ends the server at once, as a crash does, and starts it again. */
  async crash(): Promise<void> {
    await this.#end('SIGKILL');
    await this.#spawn();
  }

  /** Ends the server at once; `crash` or `restart` bring it back. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Ends the server and removes what it kept. */
  async stop(): Promise<void> {
    await this.#end('SIGKILL');
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** Runs a command of the binary for this server; answers what it prints as JSON. */
  async command<Answer>(...args: string[]): Promise<Answer> {
    const { stdout } = await run(binary(), ['--json', ...args, ...this.#local], { env: surroundings() });
    return JSON.parse(stdout) as Answer;
  }

  /** Makes a service key. */
  async key(grants: readonly string[] = ['publish:*', 'subscribe:*'], ...flags: string[]): Promise<Key> {
    this.#names += 1;
    const granted = grants.flatMap((grant) => ['--grant', grant]);
    return this.command<Key>('key', 'create', '--name', `test-${this.#names}`, ...granted, ...flags);
  }

  /** Makes a user with a password of the server's choice. */
  async user(...flags: string[]): Promise<User> {
    this.#names += 1;
    const email = `user-${this.#names}@example.test`;
    const answer = await this.command<Omit<User, 'email'>>('user', 'add', email, '--generate', ...flags);
    return { ...answer, email };
  }

  /** Every retained event of a channel, in order. */
  async history(key: string, channel: string): Promise<HistoryEvent[]> {
    const events: HistoryEvent[] = [];
    for (let after = ''; ; ) {
      const query = `channel=${encodeURIComponent(channel)}&limit=1000${after && `&after=${after}`}`;
      const answer = await fetch(`${this.url}/v1/history?${query}`, { headers: { authorization: `Bearer ${key}` } });
      if (!answer.ok) throw new Error(`history: ${answer.status} ${await answer.text()}`);
      const page = (await answer.json()) as { events: HistoryEvent[]; cursor: string; more: boolean };
      events.push(...page.events);
      if (!page.more) return events;
      after = page.cursor;
    }
  }
}

/** An event as history has it. */
export interface HistoryEvent {
  readonly id: string;
  readonly channel: string;
  readonly type: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into what they have published themselves
  readonly data: any;
}
