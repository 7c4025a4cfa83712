// An event stream read with npm `eventsource-parser`, as a page with `fetch` reads it.

import { createParser } from 'eventsource-parser';

/** An open stream and everything it has said. */
export class Stream {
  /** Blocks with data, in order: `{event, data, id}`. */
  blocks = [];
  retries = [];
  comments = [];
  errors = [];
  #abort = new AbortController();
  #waiting = [];

  /** Opens `/v1/events` with this query. */
  static async open(server, key, query, headers = {}) {
    const stream = new Stream();
    const answer = await server.request(`/v1/events?${query}`, { key, headers, signal: stream.#abort.signal });
    stream.status = answer.status;
    stream.headers = answer.headers;
    if (answer.ok) stream.ended = stream.#read(answer.body);
    else stream.problem = await answer.json();
    return stream;
  }

  async #read(body) {
    const parser = createParser({
      onEvent: (block) => this.blocks.push(block),
      onRetry: (retry) => this.retries.push(retry),
      onComment: (comment) => this.comments.push(comment),
      onError: (error) => this.errors.push(error),
    });
    const decoder = new TextDecoder('utf-8', { fatal: true });
    try {
      for await (const bytes of body) {
        parser.feed(decoder.decode(bytes, { stream: true }));
        this.#wake();
      }
    } catch (error) {
      if (!this.#abort.signal.aborted) throw error;
    } finally {
      this.over = true;
      this.#wake();
    }
  }

  #wake() {
    this.#waiting = this.#waiting.filter(({ when, done }) => {
      const met = when();
      if (met) done();
      return !met;
    });
  }

  /** Waits until `when` holds, looked at whenever something comes. */
  async until(when, within = 30_000) {
    if (when()) return;
    let done, reject;
    const promise = new Promise((yes, no) => ([done, reject] = [yes, no]));
    const timer = setTimeout(() => reject(new Error(`still waiting after ${within} ms`)), within);
    this.#waiting.push({ when, done });
    await promise.finally(() => clearTimeout(timer));
  }

  /** Closes the stream. */
  close() {
    this.#abort.abort();
  }
}
