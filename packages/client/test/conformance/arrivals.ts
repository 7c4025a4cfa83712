// The other end of the wire: a server that says what a case says, and takes down what it is asked.

import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';

/** A request that has arrived; answered by the response, or by the WebSocket that it asks for. */
export interface Arrival {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  readonly response: ServerResponse | undefined;
  readonly upgrade: (() => Promise<WebSocket>) | undefined;
  /** Whether the client has gone. */
  isGone: boolean;
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request.setEncoding('utf8')) text += chunk;
  return text;
}

/** A server of one case. */
export class Arrivals {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #waiting: Arrival[] = [];
  #wake = () => {};

  private constructor() {
    const webSockets = new WebSocketServer({ noServer: true });
    this.#server = createServer(async (request, response) => {
      const body = await textOf(request).catch(() => '');
      const arrival = this.#arrival(request, { body, response });
      response.on('close', () => {
        arrival.isGone = true;
      });
    });
    this.#server.on('upgrade', (request, socket, head) => {
      const upgrade = () =>
        new Promise<WebSocket>((resolve) => webSockets.handleUpgrade(request, socket as Socket, head, resolve));
      this.#arrival(request, { upgrade });
    });
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(): Promise<Arrivals> {
    const arrivals = new Arrivals();
    arrivals.#server.listen(0, '127.0.0.1');
    await once(arrivals.#server, 'listening');
    return arrivals;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  #arrival(request: IncomingMessage, more: Partial<Arrival>): Arrival {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://server.test');
    const { method = '', headers } = request;
    const parts = { method, path: pathname, query: searchParams, headers, isGone: false };
    const arrival = { body: '', response: undefined, upgrade: undefined, ...parts, ...more };
    this.#waiting.push(arrival);
    this.#wake();
    return arrival;
  }

  /** The next request, or nothing if none comes in time. */
  async next(limit: number): Promise<Arrival | undefined> {
    if (this.#waiting.length === 0) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        timer = setTimeout(resolve, limit);
      });
      clearTimeout(timer);
    }
    return this.#waiting.shift();
  }

  /** What has come and was not asked for. */
  get left(): readonly Arrival[] {
    return this.#waiting;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
