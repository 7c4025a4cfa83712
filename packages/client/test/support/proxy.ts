// A proxy between client and server that fails as networks and proxies do, when it is told to.
//
// It knows HTTP well enough to see which request opens a stream and when an event is on its way, and works on sockets
// where a fault is one of sockets.

import { once } from 'node:events';
import { createServer, type Server as HttpServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** Faults of a stream that runs; they strike when the next event is on its way. */
export const LIVE_FAULTS = ['cut', 'reset', 'half event', 'hang mid-event', 'one-byte chunks', 'slow'] as const;
/** Faults of the opening of a stream. */
export const OPENING_FAULTS = [
  'hang in headers',
  '401',
  '403',
  '429',
  '500',
  '204',
  'wrong content type',
  'buffering',
] as const;
/** A change of the stream is carried out, and its answer lost. */
export const ANSWER_FAULTS = ['answer cut'] as const;

export type Fault = (typeof LIVE_FAULTS)[number] | (typeof OPENING_FAULTS)[number] | (typeof ANSWER_FAULTS)[number];

const STATUSES: { readonly [fault in Fault]?: number } = { '401': 401, '403': 403, '429': 429, '500': 500, '204': 204 };

interface Exchange {
  readonly socket: Duplex;
  /** What is passed on to the client: everything, nothing more, or byte by byte. */
  mode: 'pass' | 'hang' | 'bytes' | 'slow';
  readonly isStream: boolean;
  readonly what: string;
  end(): void;
}

/** Passes requests on to one server. */
export class FaultProxy {
  readonly #http: HttpServer;
  readonly #target: number;
  readonly #armed: Fault[] = [];
  readonly #open = new Set<Exchange>();
  /** What shows that a chunk has an event in it. */
  readonly #mark: Buffer;
  /** Faults that hold for every opening: what a proxy on the way does to all. */
  standing: ((request: IncomingMessage) => Fault | undefined) | undefined;
  /** What the opening of a stream waits for. */
  gate: Promise<void> | undefined;
  #held: Promise<void> | undefined;
  /** Called with each request, once its body has passed: `GET /v1/events?…`, `upgrade /v1/ws?…`. */
  onAsked: (what: string, body: string) => void = () => {};
  /** How many events have been passed on; of those that a fault struck, at most. */
  passed = 0;
  /** Called with each fault that strikes. */
  onStrike: (fault: Fault) => void = () => {};

  private constructor(target: number, mark: string) {
    this.#target = target;
    this.#mark = Buffer.from(mark);
    this.#http = createServer((asked, answer) => this.#request(asked, answer));
    this.#http.on('upgrade', (asked, socket, head) => this.#upgrade(asked, socket, head));
    this.#http.on('clientError', (_, socket) => socket.destroy());
  }

  /** Listens on a free port; `mark` is a text that events have and nothing else does. */
  static async start(target: number, mark: string): Promise<FaultProxy> {
    const proxy = new FaultProxy(target, mark);
    proxy.#http.listen(0, '127.0.0.1');
    await once(proxy.#http, 'listening');
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  /** How many exchanges are under way. */
  get open(): number {
    return this.#open.size;
  }

  /** What is under way, for people. */
  get said(): string {
    return [...this.#open].map(({ what, mode, socket }) => `${what} ${mode} destroyed ${socket.destroyed}`).join('; ');
  }

  arm(fault: Fault): void {
    this.#armed.push(fault);
  }

  /** Takes back what has not struck. */
  disarm(): void {
    this.#armed.length = 0;
  }

  /** Whether a fault has yet to strike. */
  isArmed(fault: Fault): boolean {
    return this.#armed.includes(fault);
  }

  /** From now on streams bring nothing; what the server says waits here until what this answers is called. */
  hold(): () => void {
    let release = () => {};
    this.#held = new Promise((resolve) => {
      release = resolve;
    });
    return () => {
      this.#held = undefined;
      release();
    };
  }

  /** Cuts every stream. */
  cutStreams(): void {
    for (const exchange of [...this.#open]) {
      if (!exchange.isStream) continue;
      exchange.end();
      exchange.socket.destroy();
    }
  }

  async stop(): Promise<void> {
    for (const { socket } of this.#open) socket.destroy();
    this.#http.closeAllConnections();
    this.#http.close();
    await once(this.#http, 'close');
  }

  #take(among: readonly string[]): Fault | undefined {
    const at = this.#armed.findIndex((fault) => among.includes(fault));
    return at < 0 ? undefined : this.#armed.splice(at, 1)[0];
  }

  #strike(fault: Fault): void {
    this.onStrike(fault);
  }

  #openingFault(asked: IncomingMessage): Fault | undefined {
    const standing = this.standing?.(asked);
    const fault = standing ?? this.#take(OPENING_FAULTS);
    if (fault !== undefined) this.#strike(fault);
    return fault;
  }

  async #request(asked: IncomingMessage, answer: ServerResponse) {
    const url = asked.url ?? '';
    const isStream = asked.method !== 'OPTIONS' && (url.startsWith('/v1/events') || url.startsWith('/v1/poll'));
    const exchange = this.#enter(asked.socket, isStream, `${asked.method} ${url}`);
    // An answer that waits for the one before it on its connection is told of no end: the connection is asked as well.
    const over = new Promise<void>((resolve) => {
      answer.on('close', resolve);
      asked.socket.on('close', resolve);
      answer.on('close', () => asked.socket.off('close', resolve));
    });
    over.then(() => exchange.end());
    if (isStream) await this.gate;
    // Who has gone meanwhile opens nothing.
    if (asked.socket.destroyed) return;
    const fault = isStream ? this.#openingFault(asked) : undefined;
    if (fault === 'hang in headers') return;
    const status = fault && STATUSES[fault];
    if (status !== undefined) return this.#answerWith(asked, answer, status);

    const headers = { ...asked.headers, host: `127.0.0.1:${this.#target}` };
    const upstream = request({ port: this.#target, host: '127.0.0.1', method: asked.method, path: url, headers });
    upstream.on('error', () => asked.socket.destroy());
    over.then(() => upstream.destroy());
    upstream.on('response', (response) => {
      const change = asked.method === 'POST' && url.includes('/subscriptions') ? this.#take(ANSWER_FAULTS) : undefined;
      if (change !== undefined) {
        this.#strike(change);
        asked.socket.destroy();
        return;
      }
      const type = fault === 'wrong content type' ? { 'content-type': 'text/html' } : {};
      // A proxy that buffers says nothing before it has everything.
      if (fault === 'buffering') {
        response.resume();
        return;
      }
      answer.writeHead(response.statusCode ?? 502, { ...response.headers, ...type });
      if (isStream) answer.flushHeaders();
      this.#pass(
        response,
        exchange,
        (bytes) => answer.write(bytes),
        () => answer.end(),
        isStream,
      );
      response.on('close', () => {
        if (!response.complete) asked.socket.destroy();
      });
    });
    let body = '';
    asked.on('data', (bytes: Buffer) => {
      body += bytes;
    });
    asked.on('end', () => this.onAsked(`${asked.method} ${url}`, body));
    asked.pipe(upstream);
  }

  #answerWith(asked: IncomingMessage, answer: ServerResponse, status: number): void {
    const origin = asked.headers.origin;
    const cors =
      origin === undefined ? {} : { 'access-control-allow-origin': origin, 'access-control-allow-credentials': 'true' };
    asked.resume();
    answer.writeHead(status, {
      ...cors,
      ...(status === 429 && { 'retry-after': '1', 'access-control-expose-headers': 'retry-after' }),
    });
    answer.end();
  }

  async #upgrade(asked: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const exchange = this.#enter(socket, true, `upgrade ${asked.url}`);
    this.onAsked(exchange.what, '');
    socket.on('error', () => {});
    // Sockets of an HTTP server stay half open.
    socket.on('end', () => socket.destroy());
    socket.on('close', () => exchange.end());
    await this.gate;
    if (socket.destroyed) return;
    const fault = this.#openingFault(asked);
    if (fault === 'hang in headers' || fault === 'buffering') {
      // Only who reads sees the other side go.
      socket.resume();
      return;
    }
    const status = fault === 'wrong content type' ? 200 : fault && STATUSES[fault];
    if (status !== undefined) {
      socket.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
      return;
    }
    const upstream = connect(this.#target, '127.0.0.1');
    upstream.on('error', () => socket.destroy());
    upstream.on('close', () => socket.destroy());
    socket.on('close', () => upstream.destroy());
    const lines = asked.rawHeaders.reduce((text, word, at) => text + (at % 2 === 0 ? `${word}: ` : `${word}\r\n`), '');
    upstream.write(`GET ${asked.url} HTTP/1.1\r\n${lines}\r\n`);
    upstream.write(head);
    socket.on('data', (bytes: Buffer) => upstream.write(bytes));
    this.#pass(
      upstream,
      exchange,
      (bytes) => socket.write(bytes),
      () => socket.end(),
      true,
    );
  }

  #enter(socket: Duplex, isStream: boolean, what: string): Exchange {
    const exchange: Exchange = { socket, isStream, what, mode: 'pass', end: () => this.#open.delete(exchange) };
    this.#open.add(exchange);
    return exchange;
  }

  /** Passes what the server says on, until a fault strikes. */
  #pass(
    from: Duplex | IncomingMessage | Socket,
    exchange: Exchange,
    write: (bytes: Buffer) => void,
    end: () => void,
    isStream: boolean,
  ): void {
    // Nothing overtakes what was there before it.
    let turn = Promise.resolve();
    const send = (bytes: Buffer) => {
      const pause = exchange.mode === 'slow' ? 15 : 0;
      const size = exchange.mode === 'bytes' ? 1 : bytes.length;
      const isWhole = exchange.mode === 'pass';
      turn = turn.then(async () => {
        if (isStream) await this.#held;
        if (isWhole) return write(bytes);
        for (let at = 0; at < bytes.length && !exchange.socket.destroyed; at += size) {
          write(bytes.subarray(at, at + size));
          await new Promise((resolve) => (pause > 0 ? setTimeout(resolve, pause) : setImmediate(resolve)));
        }
      });
    };
    let tail = '';
    from.on('data', (bytes: Buffer) => {
      const text = tail + bytes.toString('latin1');
      this.passed += text.split(this.#mark.toString('latin1')).length - 1;
      tail = text.slice(1 - this.#mark.length);
      const fault =
        isStream && exchange.mode !== 'hang' && bytes.includes(this.#mark) ? this.#take(LIVE_FAULTS) : undefined;
      if (fault !== undefined) this.#strike(fault);
      const half = bytes.subarray(0, bytes.indexOf(this.#mark) + 1);
      switch (fault) {
        case 'cut':
          exchange.mode = 'hang';
          exchange.socket.end();
          exchange.socket.destroy();
          return;
        case 'reset':
          exchange.mode = 'hang';
          (exchange.socket as Socket).resetAndDestroy();
          return;
        case 'half event':
          send(half);
          exchange.mode = 'hang';
          turn.then(() => exchange.socket.end());
          return;
        case 'hang mid-event':
          send(half);
          exchange.mode = 'hang';
          return;
        case 'one-byte chunks':
          exchange.mode = 'bytes';
          break;
        case 'slow':
          exchange.mode = 'slow';
          break;
        default:
      }
      if (exchange.mode !== 'hang') send(bytes);
    });
    from.on('end', () => {
      if (exchange.mode !== 'hang') turn.then(end);
    });
  }
}
