// A TCP proxy that breaks connections at the worst moment: when the server has done what it was asked and answers.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server as NetServer, type Socket } from 'node:net';

/** Passes bytes on, and cuts answers when told to. */
export class CutProxy {
  readonly #listener: NetServer;
  readonly #sockets = new Set<Socket>();
  #cuts = 0;
  /** How many answers were cut: the server had answered, the client did not see it. */
  struck = 0;

  private constructor(port: number) {
    this.#listener = createServer((client) => this.#serve(client, port));
  }

  /** Listens on a free port and passes on to this one. */
  static async start(port: number): Promise<CutProxy> {
    const proxy = new CutProxy(port);
    proxy.#listener.listen(0, '127.0.0.1');
    await once(proxy.#listener, 'listening');
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#listener.address() as AddressInfo).port}`;
  }

  /** Cuts the connection of each of the next answers, before a byte of it is passed on. */
  cutAnswers(count: number): void {
    this.#cuts = count;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#listener.close();
    await once(this.#listener, 'close');
  }

  #serve(client: Socket, port: number): void {
    const server = connect(port, '127.0.0.1');
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(socket);
      socket.on('error', () => other.destroy());
      socket.on('close', () => {
        this.#sockets.delete(socket);
        other.destroy();
      });
    }
    client.pipe(server);
    server.on('data', (bytes) => {
      if (this.#cuts > 0) {
        this.#cuts -= 1;
        this.struck += 1;
        client.resetAndDestroy();
        return;
      }
      client.write(bytes);
    });
  }
}
