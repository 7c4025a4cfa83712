// Server-sent events by `fetch`: headers can be sent, and statuses are seen.

import { createParser } from 'eventsource-parser';
import type { Fetched } from '../environment.ts';
import { asFailure, failure, TidingsError } from '../failure.ts';
import { failureOf } from '../refusal.ts';
import { query } from '../requests.ts';
import type { Changed, Cursor, Ready } from '../wire/generated.ts';
import type { Ask, Connection, Host, Transport } from './transport.ts';

/** Most characters of a block that has not ended; the largest event has about 70,000. */
const LONGEST_BLOCK = 1_048_576;

async function read(response: Fetched, onData: (data: string, event: string, id?: string) => void): Promise<void> {
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  const decoder = new TextDecoder();
  const parser = createParser({
    maxBufferSize: LONGEST_BLOCK,
    onEvent: ({ data, event = 'message', id }) => onData(data, event, id),
    onError: (error) => {
      if (error.type === 'max-buffer-size-exceeded') throw error;
    },
  });
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    parser.feed(decoder.decode(value, { stream: true }));
  }
}

class SseStream implements Connection {
  readonly #host: Host;
  readonly #control = new AbortController();
  #session = '';

  constructor(ask: Ask, host: Host) {
    this.#host = host;
    this.#run(ask).then(
      () => this.#closed(failure('network', 'closed', 'the stream was cut')),
      (error) => this.#closed(asFailure(error)),
    );
  }

  #closed(why: ReturnType<typeof asFailure>): void {
    if (this.#control.signal.aborted) return;
    // What is left of the response is of no use.
    this.#control.abort();
    this.#host.closed(why);
  }

  async #run(ask: Ask): Promise<void> {
    const { requests } = this.#host;
    const { signal } = this.#control;
    const path = query('/v1/events', ask, {});
    const response = await requests.send(path, { headers: { accept: 'text/event-stream' }, signal });
    if (response.status !== 200) throw new TidingsError(await failureOf(response));
    const type = response.headers.get('content-type') ?? '';
    if (!type.startsWith('text/event-stream')) {
      throw new TidingsError(failure('blocked', 'wrong_content_type', `this is no event stream but ${type}`));
    }
    await read(response, (text, event, id) => {
      if (signal.aborted) return;
      const data = JSON.parse(text);
      if (event === '$ready') this.#session = (data as Ready).session;
      this.#host.take({ ...(id && { id: id as Cursor }), event, data, size: text.length });
    });
  }

  change(add: readonly unknown[], remove: readonly string[]): Promise<Changed> {
    return this.#host.requests.change(this.#session, { add, remove });
  }

  renew(): Promise<unknown> {
    return this.#host.requests.renew(this.#session);
  }

  close(): void {
    this.#control.abort();
  }
}

/** Server-sent events by `fetch`. */
export const sse: Transport = {
  name: 'sse',
  isSupported: ({ fetch }) => fetch !== undefined && typeof ReadableStream === 'function',
  open: (ask, host) => new SseStream(ask, host),
};
