import type { PublishError } from './errors.ts';
import type { Draft } from './generated.ts';
import type { CastTelling } from './telling.ts';

/** How often and how long a request is tried. */
export interface RetryOptions {
  /** Most attempts, the first one counted; 1 means no retry. Default: 10. */
  readonly attempts?: number;
  /** Milliseconds within which the last attempt begins, counted from the first. Default: 60,000. */
  readonly within?: number;
  /** Milliseconds from which the longest pause grows, doubling with each attempt. Default: 100. */
  readonly initial?: number;
  /** Longest pause in milliseconds. The pause is drawn between 0 and the longest one; a `Retry-After` is waited out. Default: 10,000. */
  readonly max?: number;
}

/** What was enqueued: an event, or what was told of a cast. */
export type Enqueued =
  | { readonly kind: 'event'; readonly event: Draft }
  | { readonly kind: 'cast'; readonly castId: string; readonly telling: CastTelling };

/** How a publisher is made; everything is optional. */
export interface PublisherOptions {
  /** Where the server is; a path is kept. Default: the environment's `TIDINGS_URL`, else `http://127.0.0.1:8080`. */
  readonly url?: string | URL;
  /** A service key with `publish:` grants. Default: the environment's `TIDINGS_API_KEY`, else no credential is sent. */
  readonly apiKey?: string;
  /** Milliseconds to wait for the answer of one attempt. Default: 10,000. */
  readonly timeout?: number;
  /** How often and how long a request is tried. */
  readonly retry?: RetryOptions;
  /** Most events that wait in the queue of `enqueue`, the ones being sent included. Default: 10,000. */
  readonly queueLimit?: number;
  /** Most bytes of JSON that wait there. Default: 16,777,216 (16 MiB). */
  readonly queueBytes?: number;
  /** Most requests that the queue has under way. What belongs to one channel or cast is sent one after the other. Default: 4. */
  readonly concurrency?: number;
  /**
   * Told of every enqueued event that was not published, or may not have been. Default: a line by `console.error`.
   * What it throws is written there too.
   */
  readonly onError?: (error: PublishError, enqueued: Enqueued) => void;
  /** How requests are sent. Default: the global `fetch`, whose agent keeps connections open. */
  readonly fetch?: typeof globalThis.fetch;
}

/** Options with every default in its place. */
export interface Settings {
  readonly url: string;
  readonly apiKey: string | undefined;
  readonly timeout: number;
  readonly retry: Required<RetryOptions>;
  readonly queueLimit: number;
  readonly queueBytes: number;
  readonly concurrency: number;
  readonly onError: (error: PublishError, enqueued: Enqueued) => void;
  readonly fetch: typeof globalThis.fetch;
}

/** Puts the defaults in; throws a `TypeError` for what cannot be. */
export function settingsOf(options: PublisherOptions): Settings {
  const environment = process.env;
  const retry = options.retry ?? {};
  return {
    url: baseOf(options.url ?? (environment['TIDINGS_URL'] || 'http://127.0.0.1:8080')),
    apiKey: keyOf(options.apiKey ?? environment['TIDINGS_API_KEY'] ?? ''),
    timeout: positive('timeout', options.timeout ?? 10_000),
    retry: {
      attempts: positive('retry.attempts', retry.attempts ?? 10),
      within: positive('retry.within', retry.within ?? 60_000),
      initial: positive('retry.initial', retry.initial ?? 100),
      max: positive('retry.max', retry.max ?? 10_000),
    },
    queueLimit: positive('queueLimit', options.queueLimit ?? 10_000),
    queueBytes: positive('queueBytes', options.queueBytes ?? 16 * 1024 * 1024),
    concurrency: positive('concurrency', options.concurrency ?? 4),
    onError: options.onError ?? say,
    // Looked up at each call, so that what replaces the global one later is used.
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
  };
}

function baseOf(url: string | URL): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch (cause) {
    throw new TypeError(`tidings: the url ${JSON.stringify(String(url))} is none; try http://127.0.0.1:8080`, {
      cause,
    });
  }
  if (parsed.protocol !== 'http:' && parsed.protocol !== 'https:') {
    throw new TypeError(`tidings: the url begins with http:// or https://, not with ${parsed.protocol}//`);
  }
  return parsed.origin + parsed.pathname.replace(/\/+$/, '');
}

/** Files and variables often end with a line break, which no header can have. */
function keyOf(key: string): string | undefined {
  const trimmed = key.trim();
  if (/[^\x21-\x7e]/.test(trimmed)) throw new TypeError('tidings: the API key has characters that no key has');
  return trimmed || undefined;
}

function positive(name: string, value: number): number {
  if (!(value > 0)) throw new TypeError(`tidings: ${name} is a number above 0`);
  return value;
}

function say(error: PublishError, enqueued: Enqueued): void {
  // What was refused for being no event has no channel.
  const of =
    enqueued.kind === 'event' ? `an event on ${enqueued.event?.channel}` : `an event of cast ${enqueued.castId}`;
  console.error(`tidings: ${of} was not published: ${error.message}`);
}
