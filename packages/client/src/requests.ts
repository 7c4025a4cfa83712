// Requests to the server: the credential, a time limit, and refusals as failures.

import type { Environment, Fetched, FetchOptions } from './environment.ts';
import { asFailure, type Failure, failure, TidingsError } from './failure.ts';
import type { ClientOptions } from './options.ts';
import { failureOf } from './refusal.ts';
import type { Changed, Ticket } from './wire/generated.ts';

/** Largest request target of the server, in bytes. */
const TARGET = 8192;

export type RequestSettings = Pick<ClientOptions, 'auth' | 'credentials' | 'openTimeout'>;

/** Requests to one server with one credential. */
export class Requests {
  readonly url: string;
  readonly #settings: RequestSettings;
  readonly #environment: Environment;
  readonly #timeLimit: number;
  #token: Promise<string> | undefined;

  constructor(url: string, settings: RequestSettings, environment: Environment) {
    this.url = url;
    this.#settings = settings;
    this.#environment = environment;
    this.#timeLimit = settings.openTimeout ?? 10_000;
  }

  /** Whether a credential goes along that headers must carry. */
  get hasToken(): boolean {
    return this.#settings.auth !== undefined;
  }

  /** Without anything else the cookie is what counts, wherever the server is. */
  get credentials(): 'omit' | 'same-origin' | 'include' {
    return this.#settings.credentials ?? (this.hasToken ? 'same-origin' : 'include');
  }

  get withCredentials(): boolean {
    return this.credentials === 'include';
  }

  /** Whether streams that cannot send headers need a ticket. */
  get needsTicket(): boolean {
    return this.hasToken || this.credentials === 'omit';
  }

  /** Asks for a fresh credential. */
  async refresh(): Promise<void> {
    await this.#keep(this.#ask(true));
  }

  /** One that could not be had is asked for again by whoever needs it next. */
  #keep(token: Promise<string>): Promise<string> {
    this.#token = token;
    token.catch(() => {
      if (this.#token === token) this.#token = undefined;
    });
    return token;
  }

  async #ask(fresh: boolean): Promise<string> {
    const { auth } = this.#settings;
    let token = auth as string;
    try {
      if (typeof auth === 'function') token = await this.#inTime(auth({ fresh }));
    } catch (error) {
      throw new TidingsError(failure('network', 'auth_failed', asFailure(error).detail));
    }
    if (token) return token;
    throw new TidingsError(failure('auth', 'unauthenticated', 'there is no credential'));
  }

  #inTime<T>(result: T | Promise<T>, onLate = () => {}): Promise<T> {
    return new Promise((resolve, reject) => {
      const late = () => {
        reject(new TidingsError(failure('network', 'timeout', 'it did not come in time')));
        onLate();
      };
      const cancel = this.#environment.after(this.#timeLimit, late);
      Promise.resolve(result).then(resolve, reject).finally(cancel);
    });
  }

  /** The credential in force. */
  async token(): Promise<string> {
    return this.#token ?? this.#keep(this.#ask(false));
  }

  /** The headers that carry the credential. */
  async headers(): Promise<Record<string, string>> {
    return this.hasToken ? { authorization: `Bearer ${await this.token()}` } : {};
  }

  /** Sends a request to a path of the server; the answer may be a refusal. Rejects where none comes. */
  async send(path: string, options: FetchOptions = {}, timeLimit = this.#timeLimit): Promise<Fetched> {
    const { fetch } = this.#environment;
    if (fetch === undefined) throw new TidingsError(failure('blocked', 'unsupported', 'there is no fetch here'));
    const headers = { ...options.headers, ...(await this.headers()) };
    const control = new AbortController();
    const abort = () => control.abort();
    options.signal?.addEventListener('abort', abort);
    if (options.signal?.aborted) abort();
    const cancel = Number.isFinite(timeLimit) ? this.#environment.after(timeLimit, abort) : () => {};
    try {
      return await fetch(this.url + path, {
        credentials: this.credentials,
        cache: 'no-store',
        ...options,
        headers,
        signal: control.signal,
      });
    } catch (error) {
      throw new TidingsError(asFailure(error));
    } finally {
      // A stream's body goes on being read; its own signal ends it.
      cancel();
    }
  }

  /** Sends JSON and takes JSON, all within the time limit; rejects with a `TidingsError` where it is refused. */
  async json<T>(path: string, body?: unknown, options: FetchOptions = {}, timeLimit?: number): Promise<T> {
    const post = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
    const control = new AbortController();
    const abort = () => control.abort();
    options.signal?.addEventListener('abort', abort);
    const cancel = this.#environment.after(timeLimit ?? this.#timeLimit, abort);
    try {
      const response = await this.send(path, { ...post, ...options, signal: control.signal }, Number.POSITIVE_INFINITY);
      if (!response.ok) throw new TidingsError(await failureOf(response));
      return (response.status === 204 ? undefined : await response.json()) as T;
    } catch (error) {
      throw new TidingsError(asFailure(error));
    } finally {
      cancel();
      options.signal?.removeEventListener('abort', abort);
    }
  }

  /**
   * Asks, and once more with a fresh credential where the first was refused and another can be had: what is asked for
   * between two streams may find that the credential has ended meanwhile.
   */
  async #again<T>(ask: () => Promise<T>, isRefused: (answer: T) => boolean): Promise<T> {
    if (typeof this.#settings.auth !== 'function') return ask();
    const held = (await this.token()) && this.#token;
    const answer = await ask();
    if (!isRefused(answer)) return answer;
    // Of several that are refused at once the first one asks.
    if (this.#token === held) await this.refresh();
    return ask();
  }

  /** A request of the application's: the time limit holds for the answer and again for the reading of it. */
  async fetch(path: string, options: FetchOptions = {}): Promise<Fetched> {
    const control = new AbortController();
    const abort = () => control.abort();
    options.signal?.addEventListener('abort', abort);
    if (options.signal?.aborted) abort();
    // The application's signal may outlive many requests.
    const over = () => options.signal?.removeEventListener('abort', abort);
    const ask = () => this.send(path, { ...options, signal: control.signal });
    const response = await this.#again(ask, ({ status }) => status === 401).catch((error) => {
      over();
      throw error;
    });
    const { ok, status, headers, body } = response;
    const read = <T>(reading: Promise<T>) => this.#inTime(reading, abort).finally(over);
    return {
      ...{ ok, status, headers, body },
      json: () => read(response.json()),
      text: () => read(response.text()),
    };
  }

  /** A ticket for the application. */
  async issue(channels: readonly string[]): Promise<Ticket> {
    const ask = () => this.ticket(channels).catch((error) => asFailure(error));
    const answer = await this.#again(ask, (answer) => 'kind' in answer && answer.kind === 'auth');
    if ('kind' in answer) throw new TidingsError(answer);
    return answer;
  }

  /** A ticket for these channels, for this page. */
  ticket(channels: readonly string[]): Promise<Ticket> {
    const { origin } = this.#environment;
    return this.json('/v1/tickets', { channels, ...(origin !== undefined && { origin }) });
  }

  /** Changes a live stream. */
  change(session: string, change: unknown): Promise<Changed> {
    return this.json(`/v1/sessions/${session}/subscriptions`, change);
  }

  /** Presents the credential to a live stream. */
  renew(session: string): Promise<unknown> {
    return this.json(`/v1/sessions/${session}/credential`, {});
  }

  /**
   * Finds out why a stream failed whose status the transport hides: asks for a ticket. Where that is granted the server
   * is there and would have let the stream in, so that something between holds it up.
   */
  async why(): Promise<Failure> {
    try {
      await this.ticket([]);
      return failure('blocked');
    } catch (error) {
      return asFailure(error);
    }
  }
}

/**
 * The query of a stream. Channels that would make the target longer than the server takes are left out; they are added
 * to the open stream.
 */
export function query(
  path: string,
  ask: {
    readonly channels: readonly string[];
    readonly since: string;
    readonly types: readonly string[];
    readonly categories: readonly string[];
  },
  more: Record<string, string>,
): string {
  const pairs: [string, string][] = [['heartbeat', 'event'], ['since', ask.since], ...Object.entries(more)];
  pairs.push(...ask.types.map((type): [string, string] => ['type', type]));
  pairs.push(...ask.categories.map((category): [string, string] => ['category', category]));
  const parts = pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  // Room for a proxy's prefix.
  let left = TARGET - 512 - path.length - parts.join('&').length;
  for (const channel of ask.channels) {
    // `:` `@` and `/` may stand in a query as they are (RFC 3986, 3.4), and channels are full of them.
    const part = `channel=${encodeURIComponent(channel).replace(/%3A/g, ':').replace(/%40/g, '@').replace(/%2F/g, '/')}`;
    left -= part.length + 1;
    if (left < 0) break;
    parts.push(part);
  }
  return `${path}?${parts.join('&')}`;
}
