// Reads records of casts: those that are asked for within one task of one client are one request.
//
// Each cast of a common answer has the answer's position and its own version, as if it had been read alone; each that is
// refused has its refusal. What the answer does not speak of is asked for alone.

import type { Client } from '../client.ts';
import type { Fetched } from '../environment.ts';
import { asFailure, failure, TidingsError } from '../failure.ts';
import { failureOf } from '../refusal.ts';
import type { Cast, CastList, CastRefusal } from '../wire/casts.generated.ts';

/** Most casts of one request. */
const MOST = 200;
/** Most characters of their ids in its target, which may have 8 KiB with a proxy's prefix. */
const LONGEST = 7000;

interface Reading {
  readonly path: string;
  readonly signal: AbortSignal;
  /** Tells the request that is under way for it that it is not waited for any more. */
  left(): void;
  resolve(response: Fetched): void;
  reject(error: unknown): void;
}

/** Who waits, by the cast's id as it stands in an address. */
type Asked = Map<string, Reading[]>;

function answerOf(status: number, value: unknown, headers: { readonly [name: string]: string | null }): Fetched {
  return {
    ok: status === 200,
    status,
    headers: { get: (name) => headers[name.toLowerCase()] ?? null },
    body: null,
    json: async () => value,
    text: async () => JSON.stringify(value),
  };
}

/** A cast of a common answer, as a response of its own. */
function responseOf(cast: Cast, cursor: string | null): Fetched {
  return answerOf(200, cast, { 'tidings-cursor': cursor, etag: `"${cast.version}"` });
}

/** A refusal of a common answer, likewise. */
function refusalOf({ code }: CastRefusal): Fetched {
  const isHidden = code === 'forbidden';
  const detail = isHidden ? 'the cast belongs to another user' : 'there is no such cast';
  return answerOf(isHidden ? 403 : 404, { code, detail }, {});
}

/** A signal that is aborted once nobody waits any more. */
function whileAnyWaits(readings: readonly Reading[]): AbortSignal {
  const control = new AbortController();
  for (const reading of readings) {
    reading.left = () => {
      if (readings.every(({ signal }) => signal.aborted)) control.abort();
    };
  }
  return control.signal;
}

class Reader {
  readonly #client: Client;
  #asked: Asked = new Map();

  constructor(client: Client) {
    this.#client = client;
  }

  read(castId: string, signal: AbortSignal): Promise<Fetched> {
    const id = encodeURIComponent(castId);
    const { promise, resolve, reject } = resolvers<Fetched>();
    const reading: Reading = { path: `/api/casts/${id}`, signal, left: () => {}, resolve, reject };
    const abort = () => {
      reject(new TidingsError(failure('gone', 'closed')));
      reading.left();
    };
    signal.addEventListener('abort', abort);
    if (this.#asked.size === 0) queueMicrotask(() => this.#send());
    const readings = this.#asked.get(id) ?? [];
    readings.push(reading);
    this.#asked.set(id, readings);
    // A cast may be read many times while it is followed.
    return promise.finally(() => signal.removeEventListener('abort', abort));
  }

  #send(): void {
    const asked = this.#asked;
    this.#asked = new Map();
    let [part, length]: [Asked, number] = [new Map(), 0];
    for (const [id, all] of asked) {
      const readings = all.filter(({ signal }) => !signal.aborted);
      if (readings.length === 0) continue;
      if (part.size === MOST || length + id.length > LONGEST) {
        this.#readPart(part);
        [part, length] = [new Map(), 0];
      }
      part.set(id, readings);
      length += id.length + '&id='.length;
    }
    this.#readPart(part);
  }

  #readPart(part: Asked): void {
    const all = [...part.values()].flat();
    if (part.size === 1) this.#readAlone(all);
    else if (part.size > 1) this.#readTogether(part, all).catch((error) => refuse(all, error));
  }

  async #readTogether(part: Asked, all: readonly Reading[]): Promise<void> {
    const signal = whileAnyWaits(all);
    const query = [...part.keys()].map((id) => `id=${id}`).join('&');
    const response = await this.#client.fetch(`/api/casts?${query}`, { signal });
    const why = response.ok ? undefined : await failureOf(response);
    // Whatever else is wrong may be wrong with one of them, or with so long an address.
    if (why && ['network', 'busy', 'auth'].includes(why.kind)) throw new TidingsError(why);
    const answer = why ? undefined : ((await response.json()) as Partial<CastList> | null);
    const cursor = response.headers.get('tidings-cursor');
    const settle = (name: string, told: Fetched) => {
      const id = encodeURIComponent(name);
      for (const { resolve } of part.get(id) ?? []) resolve(told);
      part.delete(id);
    };
    for (const cast of answer?.items ?? []) settle(cast.id, responseOf(cast, cursor));
    for (const refusal of answer?.refused ?? []) settle(refusal.id, refusalOf(refusal));
    for (const readings of part.values()) this.#readAlone(readings);
  }

  #readAlone(asked: readonly Reading[]): void {
    const readings = asked.filter(({ signal }) => !signal.aborted);
    if (readings.length === 0) return;
    const signal = whileAnyWaits(readings);
    this.#client
      .fetch(readings[0]?.path ?? '', { signal })
      .then((response) => {
        // A body can be read once.
        const { ok, status, headers, body } = response;
        let text: Promise<string> | undefined;
        const read = () => {
          text ??= response.text();
          return text;
        };
        const shared = { ok, status, headers, body, text: read, json: async () => JSON.parse(await read()) };
        for (const { resolve } of readings) resolve(shared);
      })
      .catch((error) => refuse(readings, error));
  }
}

/** All that failed together are told the very same failure. */
function refuse(readings: readonly Reading[], error: unknown): void {
  const told = error instanceof TidingsError ? error : new TidingsError(asFailure(error));
  for (const { reject } of readings) reject(told);
}

function resolvers<T>(): { promise: Promise<T>; resolve(value: T): void; reject(error: unknown): void } {
  let [resolve, reject]: [(value: T) => void, (error: unknown) => void] = [() => {}, () => {}];
  const promise = new Promise<T>((yes, no) => {
    [resolve, reject] = [yes, no];
  });
  return { promise, resolve, reject };
}

const readers = new WeakMap<Client, Reader>();

/** Reads a cast with whatever else this client is asked for now. The answer may be a refusal; rejects where none comes. */
export function readCast(client: Client, castId: string, signal: AbortSignal): Promise<Fetched> {
  const reader = readers.get(client) ?? new Reader(client);
  readers.set(client, reader);
  return reader.read(castId, signal);
}
