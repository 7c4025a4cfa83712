import { retryAfterOf, timerTime } from './backoff.ts';
import { PublishError } from './errors.ts';
import type { Settings } from './options.ts';

/** Largest answer that is read, in bytes; Tidings' own are far smaller. */
const ANSWER_BYTES = 1024 * 1024;

/**
 * Sends one POST once and gives the JSON of its answer. Rejects with a {@link PublishError}, or with the signal's
 * reason where that ended it.
 */
export async function post(
  settings: Settings,
  path: string,
  body: string,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  signal?.throwIfAborted();
  // One controller for both ends: signals composed by `AbortSignal.any` outlive the request they were made for.
  const controller = new AbortController();
  const abort = () => controller.abort(signal?.reason);
  signal?.addEventListener('abort', abort, { once: true });
  const late = new PublishError('timed_out', `no answer within ${settings.timeout} ms; is ${settings.url} up?`);
  const timer = setTimeout(() => controller.abort(late), timerTime(settings.timeout));
  try {
    return await answer(settings, path, body, controller.signal);
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    if (controller.signal.aborted) throw late;
    throw error instanceof PublishError ? error : unreachable(settings.url, error);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', abort);
  }
}

async function answer(settings: Settings, path: string, body: string, signal: AbortSignal): Promise<unknown> {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (settings.apiKey !== undefined) headers['authorization'] = `Bearer ${settings.apiKey}`;
  const url = settings.url + path;
  // Followed by hand or not at all: a redirected POST would become a GET, or hand the key to another host.
  const response = await settings.fetch(url, { method: 'POST', headers, body, signal, redirect: 'manual' });
  const text = await read(response);
  if (response.ok) return parse(text, url);
  throw refusal(response, text, url);
}

/** Reads to the end, so that the connection can be used again; gives up past the limit. */
async function read(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let [text, bytes] = ['', 0];
  if (response.body === null) return text;
  for await (const chunk of response.body) {
    bytes += chunk.byteLength;
    if (bytes > ANSWER_BYTES) throw unexpected(`the answer is larger than ${ANSWER_BYTES} bytes`, response.status);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function parse(text: string, url: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw unexpected(`${url} answered with something that is no JSON; does Tidings listen there?`, undefined, cause);
  }
}

function refusal(response: Response, text: string, url: string): PublishError {
  const { status: httpStatus } = response;
  const retryAfter = retryAfterOf(response.headers.get('retry-after'));
  const problem = problemOf(text);
  if (problem === undefined) {
    const where = response.headers.get('location');
    const why = where === null ? 'without a reason' : `and points to ${where}; set the url to where the server is`;
    return new PublishError('unexpected_answer', `${url} answered ${httpStatus} ${why}`, { httpStatus, retryAfter });
  }
  const { code, detail, at, current } = problem;
  return new PublishError(code, detail, { httpStatus, at, current, retryAfter });
}

interface ReadProblem {
  readonly code: string;
  readonly detail: string;
  readonly at: string | undefined;
  readonly current: unknown;
}

function problemOf(text: string): ReadProblem | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || !('code' in value) || typeof value.code !== 'string') {
    return undefined;
  }
  const detail = 'detail' in value && typeof value.detail === 'string' ? value.detail : value.code;
  const at = 'at' in value && typeof value.at === 'string' ? value.at : undefined;
  return { code: value.code, detail, at, current: 'current' in value ? value.current : undefined };
}

/** An answer that Tidings does not give. */
export function unexpected(detail: string, httpStatus?: number, cause?: unknown): PublishError {
  return new PublishError('unexpected_answer', detail, { httpStatus, cause });
}

function unreachable(url: string, cause: unknown): PublishError {
  // `fetch failed` says nothing; what the system said stands one level below.
  const below = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  const why = below instanceof Error ? below.message || String((below as NodeJS.ErrnoException).code) : String(below);
  return new PublishError('unreachable', `no answer from ${url}: ${why}`, { cause });
}
