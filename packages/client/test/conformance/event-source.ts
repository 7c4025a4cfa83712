// An EventSource for Node: what the client uses of the standard's (HTML, 9.2). It does not come back by itself, since the
// client closes it at the first error.

import { createParser } from 'eventsource-parser';

type Listener = (event: { readonly data: string; readonly lastEventId: string }) => void;

/** Reads one stream. */
export class EventSource {
  onerror: ((event: never) => void) | null = null;
  readonly #listeners = new Map<string, Listener[]>();
  readonly #control = new AbortController();

  constructor(url: string) {
    this.#run(url).then(
      () => this.#fail(),
      () => this.#fail(),
    );
  }

  async #run(url: string): Promise<void> {
    const { signal } = this.#control;
    const response = await fetch(url, { signal, headers: { accept: 'text/event-stream' } });
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream');
    if (response.status !== 200 || !isStream || response.body === null) return;
    let lastEventId = '';
    const parser = createParser({
      onEvent: ({ id, event = 'message', data }) => {
        lastEventId = id ?? lastEventId;
        for (const listener of this.#listeners.get(event) ?? []) listener({ data, lastEventId });
      },
    });
    for await (const text of response.body.pipeThrough(new TextDecoderStream())) parser.feed(text);
  }

  #fail(): void {
    if (!this.#control.signal.aborted) (this.onerror as (() => void) | null)?.();
  }

  addEventListener(type: string, listener: Listener): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  }

  close(): void {
    this.#control.abort();
  }
}
