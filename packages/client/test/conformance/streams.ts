// A stream as a case's server speaks it: blocks of server-sent events, or frames of a WebSocket.

import type { ServerResponse } from 'node:http';
import type { WebSocket } from 'ws';
import { fill, fillText, type Json, type Members } from './cases.ts';

const CLOSES: { readonly [retry: string]: number } = { now: 4000, later: 4001, auth: 4002, never: 4003 };

/** What both kinds of streams do. */
export interface Spoken {
  say(block: Json, pieces?: number): Promise<void>;
  /** Says the first half of it and breaks off. */
  break(block: Json | null): Promise<void>;
  /** Ends as streams end: after a `$end` with this retry, or without one. */
  end(retry?: string): Promise<void>;
}

/** What is given, as the members of a block. */
export type Resolve = (block: Json) => Members;

class Blocks implements Spoken {
  readonly #response: ServerResponse;
  readonly #resolve: Resolve;
  readonly #pings: boolean;

  constructor(response: ServerResponse, resolve: Resolve, pings: boolean) {
    this.#response = response;
    this.#resolve = resolve;
    this.#pings = pings;
    response.socket?.setNoDelay(true);
  }

  #begin(): void {
    if (this.#response.headersSent) return;
    this.#response.writeHead(200, {
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-cache, no-transform',
    });
    this.#response.write('retry: 30\n\n');
  }

  #textOf(block: Json): string {
    const { raw, comment, heartbeat } = (block ?? {}) as { raw?: string; comment?: string; heartbeat?: string };
    if (raw !== undefined) return fillText(raw);
    if (comment !== undefined) return `:${comment}\n\n`;
    if (heartbeat !== undefined) {
      const id = fillText(heartbeat);
      return this.#pings ? `id: ${id}\nevent: $ping\ndata: {}\n\n` : `:\n\nid: ${id}\n\n`;
    }
    const { id, event, data } = this.#resolve(block);
    const first = id === undefined ? '' : `id: ${id}\n`;
    return `${first}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
  }

  async #write(bytes: Buffer): Promise<void> {
    await new Promise<void>((resolve) => this.#response.write(bytes, () => resolve()));
  }

  async say(block: Json, pieces?: number): Promise<void> {
    this.#begin();
    const bytes = Buffer.from(this.#textOf(block));
    const step = pieces ?? bytes.length;
    for (let at = 0; at < bytes.length; at += step) await this.#write(bytes.subarray(at, at + step));
  }

  async break(block: Json | null): Promise<void> {
    if (block !== null) {
      const bytes = Buffer.from(this.#textOf(block));
      await this.#write(bytes.subarray(0, bytes.length / 2));
      // What was sent is to be read before the connection breaks.
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    this.#response.socket?.destroy();
  }

  async end(): Promise<void> {
    this.#begin();
    this.#response.end();
  }
}

class Frames implements Spoken {
  readonly #socket: WebSocket;
  readonly #resolve: Resolve;
  readonly #pings: boolean;

  constructor(socket: WebSocket, resolve: Resolve, pings: boolean) {
    this.#socket = socket;
    this.#resolve = resolve;
    this.#pings = pings;
  }

  async say(block: Json): Promise<void> {
    const { heartbeat, comment } = (block ?? {}) as { heartbeat?: string; comment?: string };
    if (comment !== undefined) return;
    const id = heartbeat === undefined ? undefined : fillText(heartbeat);
    const position = this.#pings ? { id, event: '$ping', data: {} } : { id };
    const frame = id === undefined ? this.#resolve(block) : position;
    await new Promise((resolve) => this.#socket.send(JSON.stringify(frame), resolve));
  }

  /** The head of a frame that promises more than comes. */
  async break(block: Json | null): Promise<void> {
    const { _socket: raw } = this.#socket as unknown as { _socket: import('node:net').Socket };
    if (block !== null) {
      const text = Buffer.from(JSON.stringify(this.#resolve(block)));
      const head = Buffer.from([0x81, 126, text.length >> 8, text.length & 255]);
      raw.write(Buffer.concat([head, text.subarray(0, text.length / 2)]));
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
    raw.destroy();
  }

  async end(retry?: string): Promise<void> {
    this.#socket.close(retry === undefined ? 1000 : (CLOSES[retry] ?? 4001));
  }
}

/** Server-sent events. */
export function blocksOver(response: ServerResponse, resolve: Resolve, pings: boolean): Spoken {
  return new Blocks(response, resolve, pings);
}

/** A WebSocket. */
export function framesOver(socket: WebSocket, resolve: Resolve, pings: boolean): Spoken {
  return new Frames(socket, resolve, pings);
}

/** What a block is on the wire, given the events of the case. */
export function resolver(events: ReadonlyMap<string, Members>): Resolve {
  const eventOf = (name: string): Members => {
    const event = events.get(name);
    if (event === undefined) throw new Error(`the case publishes no ${name}`);
    return event;
  };
  return (block) => {
    if (typeof block === 'string') {
      const event = eventOf(block);
      return { id: event['id'] ?? null, event: event['type'] ?? null, data: event };
    }
    const { missed, batch } = block as { missed?: string; batch?: readonly string[] };
    if (missed !== undefined) {
      const event = eventOf(missed);
      return { event: event['type'] ?? null, data: event };
    }
    if (batch !== undefined) {
      const data = batch.map((name) => {
        const event = eventOf(name);
        return { id: event['id'] ?? null, event: event['type'] ?? null, data: event };
      });
      return { id: data.at(-1)?.id ?? null, event: 'batch', data };
    }
    return fill(block) as Members;
  };
}
