// Plays a case: the client under test on one side, on the other a server that says what stands there.

import { isDeepStrictEqual } from 'node:util';
import { type Client, type Subscription, TidingsError } from '../../src/index.ts';
import { type Arrival, Arrivals } from './arrivals.ts';
import { type Case, eventsOf, fill, fillText, type Json, type Members, type Step } from './cases.ts';
import { clientFor } from './client.ts';
import { blocksOver, framesOver, type Resolve, resolver, type Spoken } from './streams.ts';

/** Close codes of refused upgrades. */
const REFUSED: { readonly [status: number]: number } = { 401: 4401, 429: 4429, 503: 4001 };

function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}

const shown = (value: unknown) => JSON.stringify(value)?.slice(0, 600);

/** What is played, and how long anything is waited for. */
interface Plan {
  readonly one: Case;
  readonly over: string;
  readonly limit: number;
  readonly patience: number;
}

class Play {
  readonly #case: Case;
  readonly #over: string;
  readonly #limit: number;
  readonly #patience: number;
  readonly #events: Map<string, Members>;
  readonly #resolve: Resolve;
  readonly #told: Json[] = [];
  readonly #followed: { readonly channels: readonly string[]; readonly subscription: Subscription }[] = [];
  readonly #client: Client;
  readonly #server: Arrivals;
  readonly #elsewhere: Arrivals;
  readonly #frames: Members[] = [];
  #stream: Spoken | undefined;
  #opened: Arrival | undefined;
  /** When the last stream or answer ended. */
  #endedAt = performance.now();
  /** What the client asks from here on is its own affair. */
  #isDone = false;

  constructor({ one, over, limit, patience }: Plan, server: Arrivals, elsewhere: Arrivals) {
    this.#case = one;
    this.#over = over;
    this.#limit = limit;
    this.#patience = patience;
    this.#server = server;
    this.#elsewhere = elsewhere;
    this.#events = eventsOf(one.steps);
    this.#resolve = resolver(this.#events);
    this.#client = clientFor(one, over, server.url);
  }

  async run(): Promise<void> {
    try {
      for (const [index, step] of this.#case.steps.entries()) {
        await this.#step(step).catch((error) => {
          throw new Error(`step ${index + 1}, ${shown(step)}: ${error instanceof Error ? error.message : error}`);
        });
      }
      await new Promise((resolve) => setTimeout(resolve, 20 * this.#patience));
      must(this.#told.length === 0, `told and not expected: ${shown(this.#told)}`);
      const left = this.#isDone ? [] : this.#server.left.filter(({ isGone }) => !isGone);
      must(left.length === 0, `asked and not expected: ${left.map(({ method, path }) => `${method} ${path}`)}`);
    } finally {
      this.#client.close();
    }
  }

  async #step(step: Step): Promise<void> {
    if ('follow' in step) return this.#follow(step['follow'] as Members);
    if ('leave' in step) return this.#leave(step['leave'] as string[]);
    if ('open' in step) return this.#open(step);
    if ('poll' in step) return this.#poll(step);
    if ('ask' in step) return this.#ask(step);
    if ('change' in step) return this.#change(step);
    if ('present' in step) return this.#present(step, step['present'] as Members);
    if ('say' in step) return this.#say(step['say'] as Json[], step['pieces'] as number | undefined);
    if ('cut' in step) return this.#cut(step['cut'] === true ? null : (step['cut'] ?? null));
    if ('ends' in step) return this.#end();
    if ('told' in step) return this.#expect(step['told'] as Json[]);
    if ('state' in step) return this.#state(String(step['state']));
    if ('quiet' in step) return this.#quiet(Number(step['quiet']));
    if ('nobody' in step) return this.#nobody(String(step['shown']));
    if ('done' in step) this.#isDone = true;
    // What happens on the server's side, and silence, are nothing that this end does.
    else must('publish' in step || 'world' in step || 'silence' in step, 'no step that this runner knows');
  }

  #follow({ channels, since = 'now', types, categories, snapshot }: Members): void {
    const what = {
      channels: channels as string[],
      since: fillText(String(since)),
      ...(types !== undefined && { types: types as string[] }),
      ...(categories !== undefined && { categories: categories as string[] }),
    };
    const listeners = {
      onEvent: (event: unknown) => void this.#told.push({ event: event as Json }),
      onGap: (gap: unknown) => void this.#told.push({ gap: gap as Json }),
      onError: (error: Error) => {
        if (!(error instanceof TidingsError) || error.channel === undefined) return;
        this.#told.push({ refused: { channel: error.channel, code: error.code } });
      },
      onSnapshot: (value: unknown) => void this.#told.push({ snapshot: value as Json }),
    };
    const subscription =
      snapshot === undefined
        ? this.#client.subscribe(what, listeners)
        : this.#client.snapshot(String(snapshot), what.channels, listeners);
    this.#followed.push({ channels: what.channels, subscription });
  }

  #leave(channels: readonly string[]): void {
    const found = this.#followed.find((one) => isDeepStrictEqual(one.channels, channels));
    must(found !== undefined, 'nobody follows this');
    found.subscription.close();
  }

  async #next({ least = 0, most = this.#limit }: Step): Promise<Arrival> {
    let arrival = await this.#server.next(Math.min(Number(most), this.#limit));
    // Where the status of a stream is hidden its client may ask for a ticket to learn it.
    if (arrival?.path.endsWith('/v1/tickets') && JSON.parse(arrival.body).channels.length === 0) {
      this.#answer(arrival, { status: 200, body: { ticket: 't', expiresAt: '<time>' } });
      arrival = await this.#server.next(this.#limit);
    }
    must(arrival !== undefined, 'nothing is asked');
    const after = performance.now() - this.#endedAt;
    must(after >= Number(least) - 5, `asked after ${after} ms`);
    return arrival;
  }

  #credential({ headers }: Arrival, expected: Json | undefined): void {
    if (expected === undefined) return;
    must(headers.authorization === `Bearer ${expected}`, `shown was ${headers.authorization}`);
  }

  async #open(step: Step): Promise<void> {
    const { channels, perhaps = [], since, types = [], categories = [], credential, ticket } = step['open'] as Members;
    const arrival = await this.#next(step);
    const path = this.#case.base + (this.#over === 'websocket' ? '/v1/ws' : '/v1/events');
    must(arrival.path === path, `asked was ${arrival.path}`);
    const { query } = arrival;
    const asked = {
      channels: query
        .getAll('channel')
        .filter((name) => !(perhaps as string[]).includes(name))
        .sort(),
      since: arrival.headers['last-event-id'] ?? query.get('since') ?? 'now',
      types: query.getAll('type').sort(),
      categories: query.getAll('category').sort(),
      ticket: query.get('ticket') ?? undefined,
    };
    const expected = {
      channels: [...(channels as string[])].sort(),
      since: fillText(String(since)),
      types: [...(types as string[])].sort(),
      categories: [...(categories as string[])].sort(),
      ticket: ticket === undefined ? undefined : fillText(String(ticket)),
    };
    must(isDeepStrictEqual(asked, expected), `asked was ${shown(asked)}`);
    this.#credential(arrival, credential);
    this.#opened = arrival;
    if (this.#over === 'eventsource') must(query.has('batch'), 'asked was for no batches');
    if ('refuse' in step) return this.#refuse(arrival, step['refuse'] as Members);
    if ('answer' in step) return this.#answer(arrival, step['answer'] as Members);
    this.#stream = undefined;
    if (step['hang'] === true) this.#endedAt = performance.now();
  }

  async #spoken(): Promise<Spoken> {
    if (this.#stream !== undefined) return this.#stream;
    const opened = this.#opened;
    must(opened !== undefined, 'there is no stream');
    const pings = opened.query.get('heartbeat') === 'event';
    if (opened.upgrade === undefined) {
      must(opened.response !== undefined, 'there is no response');
      this.#stream = blocksOver(opened.response, this.#resolve, pings);
    } else {
      const socket = await opened.upgrade();
      socket.on('error', () => {});
      socket.on('message', (text) => this.#frames.push(JSON.parse(String(text))));
      this.#stream = framesOver(socket, this.#resolve, pings);
    }
    return this.#stream;
  }

  async #refuse(arrival: Arrival, refusal: Members): Promise<void> {
    const { status, code, at, retryAfter } = refusal;
    if (arrival.upgrade !== undefined) {
      const socket = await arrival.upgrade();
      const after = retryAfter === undefined ? {} : { after: Number(retryAfter) * 1000 };
      const data = { reason: 'capacity', retry: 'later', ...after };
      socket.send(JSON.stringify({ event: '$end', data }));
      socket.close(REFUSED[Number(status)] ?? 4403, String(code));
      this.#endedAt = performance.now();
      return;
    }
    const problem = { type: 'about:blank', title: code, status, code, detail: code, ...(at !== undefined && { at }) };
    const headers = {
      'content-type': 'application/problem+json',
      ...(retryAfter !== undefined && { 'retry-after': String(retryAfter) }),
    };
    this.#answer(arrival, { status: status ?? 500, headers, body: JSON.stringify(problem) });
  }

  #answer({ response }: Arrival, answer: Members): void {
    const { status, headers = {}, body, cut } = answer;
    must(response !== undefined, 'there is nothing to answer');
    const filled = fill(headers, this.#elsewhere.url) as { [name: string]: string };
    const text = typeof body === 'string' ? body : JSON.stringify(fill(body ?? null));
    this.#endedAt = performance.now();
    response.writeHead(Number(status), filled);
    if (cut === true) response.write(text, () => setTimeout(() => response.socket?.destroy(), 20));
    else response.end(Number(status) === 204 ? undefined : text);
  }

  async #poll(step: Step): Promise<void> {
    const { channels, after, credential } = step['poll'] as Members;
    const arrival = await this.#next(step);
    must(arrival.path === `${this.#case.base}/v1/poll`, `asked was ${arrival.path}`);
    const { query } = arrival;
    const inQuery = { channel: query.getAll('channel'), after: query.get('after') ?? undefined };
    const inBody = () => JSON.parse(arrival.body) as { channel: string[]; after?: string };
    const asked = arrival.method === 'POST' ? inBody() : inQuery;
    must(isDeepStrictEqual([...asked.channel].sort(), channels), `asked was ${shown(asked)}`);
    const expected = after === undefined ? undefined : fillText(String(after));
    must(asked.after === expected, `asked was ${shown(asked)}`);
    this.#credential(arrival, credential);
    if (step['cut'] === true) arrival.response?.socket?.destroy();
    if ('refuse' in step) return this.#refuse(arrival, step['refuse'] as Members);
    if (!('answer' in step)) return;
    const { events, ...page } = step['answer'] as Members;
    const body = { events: (events as string[]).map((name) => this.#resolve(name)['data'] ?? null), ...page };
    this.#answer(arrival, { status: 200, headers: { 'content-type': 'application/json' }, body });
  }

  async #ask(step: Step): Promise<void> {
    const { method, path, body, credential } = step['ask'] as Members;
    const arrival = await this.#next(step);
    const asked = `${arrival.method} ${arrival.path}`;
    must(asked === `${method} ${this.#case.base}${fillText(String(path))}`, `asked was ${asked}`);
    if (body !== undefined) {
      must(isDeepStrictEqual(JSON.parse(arrival.body), fill(body)), `asked was ${arrival.body}`);
    }
    this.#credential(arrival, credential);
    this.#answer(arrival, step['answer'] as Members);
  }

  /** A request on the open stream: a frame of the WebSocket. */
  async #frame(): Promise<Members> {
    for (let waited = 0; this.#frames.length === 0; waited += 10) {
      must(waited < this.#limit, 'nothing is asked');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return this.#frames.shift() ?? {};
  }

  async #change(step: Step): Promise<void> {
    const { session, add, remove } = step['change'] as Members;
    const expected = fill({ add: add ?? [], remove: remove ?? [] });
    const check = ({ add = [], remove = [] }: Members) =>
      must(isDeepStrictEqual({ add, remove }, expected), `asked was ${shown({ add, remove })}`);
    if (this.#over === 'websocket') {
      const frame = await this.#frame();
      must(frame['op'] === 'subscribe', `asked was ${shown(frame)}`);
      check(frame);
      const { refuse, answer } = step as { refuse?: Members; answer?: Json };
      const said = refuse === undefined ? { ok: answer ?? null } : { error: refuse };
      await (await this.#spoken()).say({ ref: frame['ref'] ?? null, ...said });
      return;
    }
    const arrival = await this.#next(step);
    const path = `${this.#case.base}/v1/sessions/${fillText(String(session))}/subscriptions`;
    must(arrival.method === 'POST' && arrival.path === path, `asked was ${arrival.method} ${arrival.path}`);
    check(JSON.parse(arrival.body));
    if ('refuse' in step) return this.#refuse(arrival, step['refuse'] as Members);
    this.#answer(arrival, { status: 200, body: step['answer'] ?? null });
  }

  async #present(step: Step, { session, credential }: Members): Promise<void> {
    if (this.#over === 'websocket') {
      const frame = await this.#frame();
      must(frame['op'] === 'auth' && frame['token'] === credential, `asked was ${shown(frame)}`);
      return (await this.#spoken()).say({ ref: frame['ref'] ?? null, ok: {} });
    }
    const arrival = await this.#next({});
    const path = `${this.#case.base}/v1/sessions/${fillText(String(session))}/credential`;
    must(arrival.method === 'POST' && arrival.path === path, `asked was ${arrival.method} ${arrival.path}`);
    this.#credential(arrival, credential);
    if ('refuse' in step) return this.#refuse(arrival, step['refuse'] as Members);
    this.#answer(arrival, { status: 204, body: '' });
  }

  async #say(blocks: readonly Json[], pieces: number | undefined): Promise<void> {
    const stream = await this.#spoken();
    for (const block of blocks) await stream.say(block, pieces);
    const last = blocks.at(-1) as { event?: string; data?: { retry?: string } } | undefined;
    if (last?.event === '$end') await this.#end(last.data?.retry);
  }

  async #cut(block: Json | null): Promise<void> {
    if (this.#stream === undefined && block === null) this.#opened?.response?.socket?.destroy();
    if (this.#stream !== undefined || this.#opened?.upgrade !== undefined) await (await this.#spoken()).break(block);
    this.#stream = undefined;
    this.#endedAt = performance.now();
  }

  async #end(retry?: string): Promise<void> {
    await (await this.#spoken()).end(retry);
    this.#endedAt = performance.now();
  }

  async #until(holds: () => boolean, what: () => string): Promise<void> {
    const start = performance.now();
    while (!holds()) {
      must(performance.now() - start < this.#limit, what());
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async #expect(expected: readonly Json[]): Promise<void> {
    await this.#until(
      () => this.#told.length >= expected.length,
      () => `told is ${shown(this.#told)}`,
    );
    const found = this.#told.splice(0, expected.length);
    for (const [index, one] of expected.entries()) {
      const event = found[index] as { readonly event?: Json } | undefined;
      if (typeof one === 'string') {
        const told = { event: this.#events.get(one) };
        must(isDeepStrictEqual(found[index], told), `expected ${shown(told)}, told was ${shown(found[index])}`);
      } else if (one !== null && typeof one === 'object' && 'like' in one) {
        const whole = { ...(event?.event as Members), ...this.#events.get(String(one['like'])) };
        must(isDeepStrictEqual(event?.event, whole), `told was ${shown(event)}`);
      } else if (one !== null && typeof one === 'object' && 'gap' in one) {
        // A gap may say more than this client knows.
        const gap = (found[index] as { gap?: Members }).gap;
        const whole = { ...gap, ...(fill(one['gap'] ?? null) as Members) };
        must(gap !== undefined && isDeepStrictEqual(gap, whole), `told was ${shown(found[index])}`);
      } else {
        must(
          isDeepStrictEqual(found[index], fill(one)),
          `expected ${shown(fill(one))}, told was ${shown(found[index])}`,
        );
      }
    }
  }

  async #state(expected: string): Promise<void> {
    await this.#until(
      () => this.#client.status.state === expected,
      () => `the state is ${this.#client.status.state}`,
    );
  }

  async #quiet(milliseconds: number): Promise<void> {
    const arrival = await this.#server.next(milliseconds * this.#patience);
    must(
      arrival === undefined || arrival.isGone,
      `asked was ${arrival?.method} ${arrival?.path} ${arrival?.query} ${arrival?.body}`,
    );
    must(this.#told.length === 0, `told was ${shown(this.#told)}`);
  }

  /** Nobody else was shown the credential. */
  async #nobody(credential: string): Promise<void> {
    const arrival = await this.#elsewhere.next(Math.min(300, this.#limit));
    const told = JSON.stringify([arrival?.headers ?? {}, String(arrival?.query ?? '')]);
    must(!told.includes(credential), `shown elsewhere was ${told}`);
  }
}

/**
 * Plays it; rejects with what was not as it should be. `limit`: how long anything is waited for, in milliseconds;
 * `patience`: how many times as long as the case says it is looked whether all is quiet.
 */
export async function play(one: Case, over: string, limit = 20_000, patience = 1): Promise<void> {
  const [server, elsewhere] = await Promise.all([Arrivals.start(), Arrivals.start()]);
  try {
    await new Play({ one, over, limit, patience }, server, elsewhere).run();
  } finally {
    await Promise.all([server.stop(), elsewhere.stop()]);
  }
}
