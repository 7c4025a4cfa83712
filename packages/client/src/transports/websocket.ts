// WebSocket: both ways on one connection. Browsers hide why an opening failed and send no headers, so that the reason is
// asked for by `fetch`, and a credential other than the cookie becomes a ticket.

import type { Socket } from '../environment.ts';
import { asFailure, type Failure, type FailureKind, failure, TidingsError } from '../failure.ts';
import { query } from '../requests.ts';
import type { Addition, Changed, End, ServerFrame } from '../wire/generated.ts';
import type { Ask, Connection, Host, Transport } from './transport.ts';

/** What the server's close codes call for. */
const CLOSES: { readonly [code: number]: FailureKind } = {
  4000: 'now',
  4001: 'busy',
  4002: 'auth',
  4003: 'gone',
  4401: 'auth',
  4403: 'forbidden',
  4429: 'busy',
};

const WRONG_ORIGIN =
  "the server sees another `Host` than the page: let the proxy keep it, or list the page's origin in `cors.origins`";

interface Waiting {
  resolve(ok: unknown): void;
  reject(error: TidingsError): void;
}

class SocketStream implements Connection {
  readonly #host: Host;
  #socket: Socket | undefined;
  #isOver = false;
  #isReady = false;
  /** A refused upgrade says `$end` first; the close code that follows says more. */
  #end: End | undefined;
  readonly #ticketed: ReadonlySet<string> | undefined;
  readonly #waiting = new Map<number, Waiting>();
  #requests = 0;

  constructor(ask: Ask, host: Host) {
    this.#host = host;
    if (host.requests.needsTicket) this.#ticketed = new Set(ask.all);
    this.#open(ask).catch((error) => this.#closed(asFailure(error)));
  }

  async #open(ask: Ask): Promise<void> {
    const { requests, environment } = this.#host;
    const { WebSocket } = environment;
    if (WebSocket === undefined)
      throw new TidingsError(failure('blocked', 'unsupported', 'there is no WebSocket here'));
    const ticket = this.#ticketed && (await requests.ticket(ask.all)).ticket;
    if (this.#isOver) return;
    const url = requests.url.replace(/^http/, 'ws') + query('/v1/ws', ask, ticket ? { ticket } : {});
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      if (!this.#isOver) this.#take(String(data));
    };
    // What is to be known comes with the close.
    socket.onerror = () => {};
    socket.onclose = ({ code, reason }) => this.#onClose(code, reason);
  }

  #take(text: string) {
    const frame = JSON.parse(text) as ServerFrame;
    if ('ref' in frame) return this.#answer(frame);
    if (!('event' in frame)) return this.#host.take(frame);
    if (frame.event === '$ready') this.#isReady = true;
    if (frame.event === '$end' && !this.#isReady) {
      this.#end = frame.data as End;
      return;
    }
    this.#host.take({ ...frame, size: text.length });
  }

  #answer(frame: Extract<ServerFrame, { ref: unknown }>) {
    const waiting = this.#waiting.get(Number(frame.ref));
    this.#waiting.delete(Number(frame.ref));
    if ('ok' in frame) return waiting?.resolve(frame.ok);
    const { status, code, detail } = frame.error;
    const kind = status === 401 ? 'auth' : status === 429 || status >= 500 ? 'busy' : 'forbidden';
    waiting?.reject(new TidingsError({ kind, status, code, detail }));
  }

  /**
   * Whether the page comes from where the server is. A proxy that puts a `Host` of its own in place of the page's hides
   * that from the server; requests that only read are not judged by it.
   */
  get #isOwn(): boolean {
    const { requests, environment } = this.#host;
    return new URL(requests.url).origin === environment.origin;
  }

  async #onClose(code: number, reason: string): Promise<void> {
    if (this.#isOver) return;
    const kind = CLOSES[code];
    const after = this.#end?.after;
    if (reason === 'wrong_origin' && this.#isOwn) return this.#closed(failure('blocked', reason, WRONG_ORIGIN));
    if (kind !== undefined) {
      const word = reason || this.#end?.reason || `closed_${code}`;
      const why = failure(kind, word, `the server closed the WebSocket: ${word.replaceAll('_', ' ')}`);
      return this.#closed(after === undefined ? why : { ...why, after });
    }
    if (this.#isReady) return this.#closed(failure('network', `closed_${code}`, reason || 'the WebSocket was cut'));
    this.#closed(await this.#host.requests.why());
  }

  #closed(why: Failure): void {
    if (this.#isOver) return;
    this.close();
    this.#host.closed(why);
  }

  #request(op: object): Promise<unknown> {
    this.#requests += 1;
    const ref = this.#requests;
    return new Promise((resolve, reject) => {
      this.#waiting.set(ref, { resolve, reject });
      this.#socket?.send(JSON.stringify({ ref, ...op }));
    });
  }

  change(add: readonly Addition[], remove: readonly string[]): Promise<Changed> {
    const ticketed = this.#ticketed;
    if (ticketed !== undefined && add.some(({ channel }) => !ticketed.has(channel))) {
      return Promise.reject(new TidingsError(failure('reopen')));
    }
    return this.#request({ op: 'subscribe', add, remove }) as Promise<Changed>;
  }

  async renew(): Promise<unknown> {
    return this.#request({ op: 'auth', token: await this.#host.requests.token() });
  }

  close() {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const { reject } of this.#waiting.values()) reject(new TidingsError(failure('network', 'closed')));
    this.#waiting.clear();
    this.#socket?.close(1000);
  }
}

/** WebSocket. */
export const websocket: Transport = {
  name: 'websocket',
  isSupported: ({ WebSocket, fetch }) => WebSocket !== undefined && fetch !== undefined,
  open: (ask, host) => new SocketStream(ask, host),
};
