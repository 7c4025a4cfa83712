// Casts: users who own them, a helper that tells of them, and pages that watch them with the browser's own EventSource.

import assert from 'node:assert/strict';

const FRAMES = ['status', 'progress', 'complete', 'failed', 'artifact', 'batch', '$ready', '$reset', '$end', '$ping', '$lagged', '$expiring'];

/** Makes a user `{id, email, password}`. */
export async function user(server, email) {
  return server.command('user', 'add', email, '--generate');
}

/** What tells of casts, with a service key. */
export class Helper {
  #key;
  #request;

  /** `request` as {@link Server.request}, for a server that is reached otherwise. */
  static async make(server, request = (path, options) => server.request(path, options)) {
    const helper = new Helper();
    helper.#key = (await server.key(['publish:cast:*', 'subscribe:*'])).key;
    helper.#request = request;
    return helper;
  }

  /** Tells an event and expects it to be taken; answers the cast. */
  async tell(id, type, data = {}, more = {}) {
    const body = JSON.stringify({ type, data, ...more });
    const answer = await this.#request(`/api/casts/${id}/events`, { key: this.#key, body });
    const text = await answer.text();
    assert.equal(answer.status, 200, text);
    return JSON.parse(text);
  }

  /** The first mention: the cast is made, queued, for this user. */
  async mention(id, owner) {
    return this.tell(id, 'STATUS_CHANGED', { status: 'queued' }, { userId: owner.id });
  }
}

/** Signs in by a fetch of the page; answers the status, or the error's name. */
export function signIn(page, origin, { email, password }) {
  return page.evaluate(
    async ([url, body]) => {
      try {
        const answer = await fetch(url, { method: 'POST', body, credentials: 'include' });
        return answer.status;
      } catch (error) {
        return error.name;
      }
    },
    [`${origin}/auth/login`, JSON.stringify({ email, password })],
  );
}

/** A native EventSource in a page, which collects what comes. */
export class Watcher {
  #page;
  #name;
  static #count = 0;

  /** Opens one; `init` as the constructor of EventSource takes it. */
  static async open(page, url, init = {}) {
    const watcher = new Watcher();
    watcher.#page = page;
    watcher.#name = `watcher${(Watcher.#count += 1)}`;
    /** Requests of this stream, as the browser made them. */
    watcher.requests = [];
    page.on('request', (request) => {
      if (request.url() === new URL(url, page.url()).href) watcher.requests.push(request);
    });
    await page.evaluate(
      ([name, url, init, frames]) => {
        const source = new EventSource(url, init);
        const seen = { source, events: [], opens: 0, errors: 0 };
        window[name] = seen;
        source.onopen = () => (seen.opens += 1);
        source.onerror = () => (seen.errors += 1);
        for (const type of frames) {
          source.addEventListener(type, ({ type, lastEventId, data }) => seen.events.push({ type, id: lastEventId, data: JSON.parse(data) }));
        }
      },
      [watcher.#name, url, init, FRAMES],
    );
    return watcher;
  }

  /** Waits until an expression about `seen` holds. */
  async until(expression) {
    const body = `(() => { const seen = window[${JSON.stringify(this.#name)}]; return ${expression}; })()`;
    await this.#page.waitForFunction(body, undefined, { polling: 20, timeout: 20_000 });
  }

  /** Waits until the browser has given up for good. */
  async closed() {
    await this.until('seen.source.readyState === EventSource.CLOSED');
  }

  /** Everything so far: `{events, opens, errors}`. */
  seen() {
    return this.#page.evaluate((name) => ({ ...window[name], source: undefined }), this.#name);
  }

  /** What is not said of the stream itself. */
  async frames() {
    return (await this.seen()).events.filter(({ type }) => !type.startsWith('$'));
  }

  async close() {
    await this.#page.evaluate((name) => window[name].source.close(), this.#name);
  }
}
