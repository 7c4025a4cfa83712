// The way between page and server, as bad networks are: it cuts, swallows, refuses, and crawls, drawn from a seed.
//
// It knows nothing of HTTP; whether an event is on its way it sees by a text that events alone have.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server as NetServer, type Socket } from 'node:net';

/** What it does; the first four strike when an event is on its way. */
export const LINK_FAULTS = ['cut', 'half event', 'hang', 'refuse', 'slow', 'one-byte chunks'] as const;
export type LinkFault = (typeof LINK_FAULTS)[number];

interface Way {
  readonly client: Socket;
  readonly server: Socket;
  /** Nothing passes any more, and nobody is told. */
  isDead: boolean;
  /** What has not been passed on yet. */
  late: number;
  turn: Promise<void>;
}

/** Passes connections on to one port. */
export class Link {
  readonly #listener: NetServer;
  readonly #mark: Buffer;
  readonly #ways = new Set<Way>();
  /** What waits for the next event. */
  #armed: LinkFault | undefined;
  #struck: ((fault: LinkFault) => void) | undefined;
  /** What holds for now. */
  #mode: 'open' | 'hang' | 'refuse' | 'slow' | 'one-byte chunks' = 'open';
  /** How many connections were refused or left without an answer. */
  refused = 0;

  private constructor(port: number, mark: string) {
    this.#mark = Buffer.from(mark);
    this.#listener = createServer((client) => this.#connected(client, port));
  }

  static async start(port: number, mark: string): Promise<Link> {
    const link = new Link(port, mark);
    link.#listener.listen(0, '127.0.0.1');
    await once(link.#listener, 'listening');
    return link;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#listener.address() as AddressInfo).port}`;
  }

  /** Waits for the next event to strike it; `false` where none comes in time. */
  async strike(fault: LinkFault, within: number): Promise<boolean> {
    this.#armed = fault;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), within);
    });
    const struck = new Promise<boolean>((resolve) => {
      this.#struck = () => resolve(true);
    });
    const result = await Promise.race([struck, late]);
    clearTimeout(timer);
    this.#armed = undefined;
    return result;
  }

  /**
   * Ends what is dead. Server and browser hold such a connection for up to a minute more: the one hears nothing of the
   * other's close, and Chromium waits for the answer to its WebSocket's.
   */
  bury(): void {
    for (const way of this.#ways) {
      if (!way.isDead) continue;
      way.client.destroy();
      way.server.destroy();
    }
  }

  /** Everything passes again; what is dead stays so until somebody gives it up. */
  heal(): void {
    this.#mode = 'open';
  }

  /** Resets every connection. */
  cut(): void {
    for (const way of this.#ways) {
      way.client.resetAndDestroy();
      way.server.destroy();
    }
  }

  async stop(): Promise<void> {
    this.cut();
    this.#listener.close();
    await once(this.#listener, 'close');
  }

  #connected(client: Socket, port: number): void {
    client.on('error', () => {});
    if (this.#mode === 'refuse') {
      this.refused += 1;
      client.resetAndDestroy();
      return;
    }
    const server = connect(port, '127.0.0.1');
    const way: Way = { client, server, isDead: this.#mode === 'hang', late: 0, turn: Promise.resolve() };
    if (way.isDead) this.refused += 1;
    this.#ways.add(way);
    server.on('error', () => {});
    client.on('close', () => {
      this.#ways.delete(way);
      server.destroy();
    });
    server.on('close', () => {
      if (!way.isDead) way.turn.then(() => client.end());
    });
    client.on('data', (bytes: Buffer) => {
      if (!way.isDead) server.write(bytes);
    });
    server.on('data', (bytes: Buffer) => {
      const at = bytes.indexOf(this.#mark);
      if (at >= 0) this.#event(way, bytes.subarray(0, at + 1));
      if (way.isDead) return;
      if (this.#mode === 'open' && way.late === 0) return void client.write(bytes);
      way.late += 1;
      way.turn = way.turn.then(() => this.#crawl(way, bytes));
    });
  }

  async #crawl(way: Way, bytes: Buffer): Promise<void> {
    const size = this.#mode === 'one-byte chunks' ? 1 : bytes.length;
    if (this.#mode === 'slow') await new Promise((resolve) => setTimeout(resolve, 40));
    for (let at = 0; at < bytes.length && !way.isDead && !way.client.destroyed; at += size) {
      way.client.write(bytes.subarray(at, at + size));
      if (size === 1) await new Promise((resolve) => setImmediate(resolve));
    }
    way.late -= 1;
  }

  #event(way: Way, half: Buffer): void {
    const fault = this.#armed;
    if (fault === undefined || way.isDead) return;
    this.#armed = undefined;
    this.#struck?.(fault);
    if (fault === 'slow' || fault === 'one-byte chunks') {
      this.#mode = fault;
      return;
    }
    // What comes from now on is lost with the connections.
    for (const each of this.#ways) each.isDead = true;
    if (fault === 'half event') way.client.write(half);
    if (fault === 'hang' || fault === 'refuse') this.#mode = fault;
    if (fault === 'hang') return;
    for (const each of this.#ways) {
      if (fault === 'half event') each.client.end();
      else each.client.resetAndDestroy();
    }
  }
}
