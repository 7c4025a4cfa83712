// A server in memory: answers as it is told, notes what it was asked.

import { vi } from 'vitest';
import {
  createPublisher,
  type Enqueued,
  type PublishError,
  type Publisher,
  type PublisherOptions,
} from '../src/index.ts';

/** One request as it was sent. */
export interface Asked {
  readonly path: string;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into what they have sent themselves
  readonly body: any;
  /** By the clock, in milliseconds. */
  readonly at: number;
}

/** How a request is answered: a response, or what `fetch` rejects with. `undefined`: a receipt for each event. */
export type Reply = (
  asked: Asked,
  count: number,
) => Response | Error | undefined | Promise<Response | Error | undefined>;

/** A publisher whose requests are answered by `reply`. */
export function publisherTo(reply: Reply, options: PublisherOptions = {}) {
  const asked: Asked[] = [];
  const failures: { error: PublishError; enqueued: Enqueued; at: number }[] = [];
  const waits: PublishError[] = [];
  let ids = 0;
  const fetch: typeof globalThis.fetch = async (input, init) => {
    const one: Asked = {
      path: new URL(String(input)).pathname,
      headers: new Headers(init?.headers),
      body: JSON.parse(String(init?.body)),
      at: Date.now(),
    };
    asked.push(one);
    const aborted = new Promise<never>((_, reject) => {
      init?.signal?.addEventListener('abort', () => reject(init.signal?.reason), { once: true });
    });
    const answer = await Promise.race([reply(one, asked.length), aborted]);
    if (answer instanceof Error) throw answer;
    if (answer !== undefined) return answer;
    if (one.path !== '/v1/publish') return Response.json({ id: 'cast_1', status: 'queued' });
    const receipt = () => {
      ids += 1;
      return { id: String(ids), duplicate: false };
    };
    return Response.json({ events: one.body.events.map(receipt) });
  };
  const publisher: Publisher = createPublisher({
    url: 'http://tidings.test',
    apiKey: 'secret',
    fetch,
    onError: (error, enqueued) => failures.push({ error, enqueued, at: Date.now() }),
    onWaiting: (error) => waits.push(error),
    ...options,
  });
  return { publisher, asked, failures, waits };
}

/** A refusal as Tidings writes it. */
export function problem(
  status: number,
  code: string,
  more: object = {},
  headers: Record<string, string> = {},
): Response {
  const body = { type: 'about:blank', title: code, status, code, detail: `because of ${code}`, ...more };
  return new Response(JSON.stringify(body), {
    status,
    headers: { 'content-type': 'application/problem+json', ...headers },
  });
}

/** What `fetch` rejects with where nobody listens. */
export function refused(): Error {
  return new TypeError('fetch failed', { cause: new Error('connect ECONNREFUSED') });
}

/** An event. */
export function event(data: unknown = 1, channel = 'a') {
  return { channel, type: 't', data };
}

/** Settles a promise while time passes as fast as it can. */
export async function inNoTime<Value>(promise: Promise<Value>): Promise<PromiseSettledResult<Value>> {
  const settled = Promise.allSettled([promise]);
  await vi.runAllTimersAsync();
  const [result] = await settled;
  return result;
}

/** What a promise rejects with. */
export async function rejection(promise: Promise<unknown>): Promise<PublishError> {
  const result = await inNoTime(promise);
  if (result.status === 'fulfilled') throw new Error('this should have failed');
  return result.reason;
}
