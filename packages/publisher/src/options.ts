import { checkCall, checkOption, count, FUNCTION, number, OBJECT, type Rule, TEXT } from './check.ts';
import type { Draft } from './draft.ts';
import type { PublishError } from './errors.ts';
import type { CastTelling } from './telling.ts';

/** How often and how long a request is tried. `attempts` and `within` are of calls that are awaited; the queue has its `queueAge`. */
export interface RetryOptions {
  /** Most attempts, the first one counted; 1 means no retry. Default: no limit but `within`. */
  readonly attempts?: number | undefined;
  /**
   * Milliseconds within which the last attempt begins, counted from the first. Default: 60,000. The server knows an
   * idempotency key for 24 hours: of attempts that are further apart each may make an event.
   */
  readonly within?: number | undefined;
  /** Milliseconds from which the longest pause grows, doubling with each attempt. Default: 100. */
  readonly initial?: number | undefined;
  /** Longest pause in milliseconds. The pause is drawn between 0 and the longest one; a `Retry-After` is waited out. Default: 10,000. */
  readonly max?: number | undefined;
}

/** What was enqueued: an event, or what was told of a cast. */
export type Enqueued =
  | { readonly kind: 'event'; readonly event: Draft }
  | { readonly kind: 'cast'; readonly castId: string; readonly telling: CastTelling };

/** How a publisher is made; everything is optional. */
export interface PublisherOptions {
  /** Where the server is; a path is kept. Default: the environment's `TIDINGS_URL`, else `http://127.0.0.1:8080`. */
  readonly url?: string | URL | undefined;
  /** A service key with `publish:` grants. Default: the environment's `TIDINGS_API_KEY`, else no credential is sent. */
  readonly apiKey?: string | undefined;
  /** Milliseconds to wait for the answer of one attempt. Default: 10,000. */
  readonly timeout?: number | undefined;
  /** How often and how long a request is tried. */
  readonly retry?: RetryOptions | undefined;
  /** Most events that wait in the queue of `enqueue`, the ones being sent included. Default: 10,000. */
  readonly queueLimit?: number | undefined;
  /** Most bytes of JSON that wait there. Default: 16,777,216 (16 MiB). */
  readonly queueBytes?: number | undefined;
  /**
   * Most milliseconds that an event waits there for a server that is away; then it is given up, by itself, and `onError`
   * is told `too_old`. Default: 3,600,000 (an hour); at most 82,800,000 (23 hours), because the server knows idempotency
   * keys for 24.
   */
  readonly queueAge?: number | undefined;
  /** Most requests that the queue has under way. What belongs to one channel or cast is sent one after the other. Default: 4. */
  readonly concurrency?: number | undefined;
  /**
   * Told of every enqueued event that was not published, or may not have been. Default: a line by `console.error`.
   * What it throws is written there too.
   */
  readonly onError?: ((error: PublishError, enqueued: Enqueued) => void) | undefined;
  /**
   * Told that the queue waits for the server, and why: once, at the first failure that may pass, and no more than once a
   * minute where the server comes and goes. Nothing is lost by then. Default: a line by `console.error`. What it throws
   * is written there too.
   */
  readonly onWaiting?: ((error: PublishError) => void) | undefined;
  /** How requests are sent. Default: the global `fetch`, whose agent keeps connections open. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}

/** The same with every default in its place. */
export type RetrySettings = { readonly [Name in keyof RetryOptions]-?: number };

/** Options with every default in its place. */
export interface Settings {
  readonly url: string;
  readonly apiKey: string | undefined;
  readonly timeout: number;
  readonly retry: RetrySettings;
  readonly queueLimit: number;
  readonly queueBytes: number;
  readonly queueAge: number;
  readonly concurrency: number;
  readonly onError: (error: PublishError, enqueued: Enqueued) => void;
  readonly onWaiting: (error: PublishError) => void;
  readonly fetch: typeof globalThis.fetch;
}

/** An hour less than the server knows an idempotency key for: a retry never makes a second event. */
const MAX_AGE = 23 * 3_600_000;

const OPTIONS: { readonly [name in keyof PublisherOptions]-?: Rule } = {
  url: ['a string or URL', (value) => TEXT[1](value) || value instanceof URL],
  apiKey: TEXT,
  timeout: number(1),
  retry: OBJECT,
  queueLimit: count(1),
  queueBytes: count(1),
  queueAge: number(1, MAX_AGE),
  concurrency: count(1),
  onError: FUNCTION,
  onWaiting: FUNCTION,
  fetch: FUNCTION,
};

const RETRY: { readonly [name in keyof RetryOptions]-?: Rule } = {
  attempts: count(1),
  within: number(1),
  initial: number(1),
  max: number(1),
};

/** Puts the defaults in; throws a `TypeError` or `RangeError` for what cannot be. */
export function settingsOf(options: PublisherOptions): Settings {
  checkCall(options, OPTIONS);
  const environment = process.env;
  const retry = options.retry ?? {};
  for (const [name, rule] of Object.entries(RETRY))
    checkOption(`retry.${name}`, retry[name as keyof RetryOptions], rule);
  return {
    url: baseOf(options.url ?? (environment['TIDINGS_URL'] || 'http://127.0.0.1:8080')),
    apiKey: keyOf(options.apiKey ?? environment['TIDINGS_API_KEY'] ?? ''),
    timeout: options.timeout ?? 10_000,
    retry: {
      attempts: retry.attempts ?? Number.POSITIVE_INFINITY,
      within: retry.within ?? 60_000,
      initial: retry.initial ?? 100,
      max: retry.max ?? 10_000,
    },
    queueLimit: options.queueLimit ?? 10_000,
    queueBytes: options.queueBytes ?? 16 * 1024 * 1024,
    queueAge: options.queueAge ?? 3_600_000,
    concurrency: options.concurrency ?? 4,
    onError: options.onError ?? say,
    onWaiting: options.onWaiting ?? sayWaiting,
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
  if (parsed.username !== '' || parsed.password !== '') {
    throw new TypeError('tidings: the url has a user name or password, which no request can have; give an `apiKey`');
  }
  return parsed.origin + parsed.pathname.replace(/\/+$/, '');
}

/** Files and variables often end with a line break, which no header can have. */
function keyOf(key: string): string | undefined {
  const trimmed = key.trim();
  if (/[^\x21-\x7e]/.test(trimmed)) throw new TypeError('tidings: the API key has characters that no key has');
  return trimmed || undefined;
}

function say(error: PublishError, enqueued: Enqueued): void {
  // What was refused for being no event has no channel.
  const of =
    enqueued.kind === 'event' ? `an event on ${enqueued.event?.channel}` : `an event of cast ${enqueued.castId}`;
  console.error(`tidings: ${of} was not published: ${error.message}`);
}

function sayWaiting(error: PublishError): void {
  console.error(`tidings: the queue waits for the server: ${error.message}`);
}
