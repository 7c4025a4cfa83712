// Backends that go on publishing, whatever happens to the server: every event has a number, and a key for its repeats.

import { setMaxListeners } from 'node:events';
import type { Server } from '@tidings/testkit';
import { type Numbers, random } from '../../../client/test/support/random.ts';
import { createPublisher, type Publisher } from '../../../publisher/src/index.ts';
import type { Answer } from '../support/site.ts';
import type { Tally } from './pages/board.tsx';

/** How a cast's life ends; `null` goes on. */
export type End = 'complete' | 'failed' | 'cancelled' | null;

export interface CastPlan {
  readonly id: string;
  readonly end: End;
  /** When it ends, as a share of the run. */
  readonly at: number;
}

export interface FeedOptions {
  readonly server: Server;
  readonly key: string;
  /** Who owns the casts. */
  readonly owner: string;
  /** What the pauses are drawn from. */
  readonly seed: number;
  /** The mean time between two events of one item. */
  readonly pause: number;
}

const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Publishes until it is stopped. */
export class Feed {
  readonly #publisher: Publisher;
  readonly #options: FeedOptions;
  readonly #loops: Promise<void>[] = [];
  readonly #records = new Map<string, { record: Tally; cursor: string }>();
  #isOver = false;
  readonly #control = new AbortController();
  /** Events that the server has taken. */
  taken = 0;
  /** Events that it has been sent and not answered. */
  pending = 0;

  constructor(options: FeedOptions) {
    this.#options = options;
    const { server, key } = options;
    // One for each item that is being published.
    setMaxListeners(100, this.#control.signal);
    const retry = { attempts: 10_000, within: 120_000, initial: 50, max: 1000 };
    this.#publisher = createPublisher({ url: server.url, apiKey: key, timeout: 5000, retry });
  }

  async #send<Answered>(publish: () => Promise<Answered>): Promise<Answered> {
    this.pending += 1;
    try {
      const answer = await publish();
      this.taken += 1;
      return answer;
    } finally {
      this.pending -= 1;
    }
  }

  #tell(castId: string, name: string, type: string, data: object): Promise<unknown> {
    const { owner: userId } = this.#options;
    const idempotencyKey = `${castId} ${name}`;
    return this.#send(() => this.#publisher.tellCast(castId, { type, data, userId, idempotencyKey }, this.#control));
  }

  /** Makes a cast known. */
  mention(castId: string): Promise<unknown> {
    return this.#tell(castId, 'known', 'STATUS_CHANGED', { status: 'queued' });
  }

  /** Keeps a record of what is published to a channel, as a backend's database would. */
  async keep(channel: string): Promise<void> {
    const { server, key } = this.#options;
    const headers = { authorization: `Bearer ${key}` };
    const head = await fetch(`${server.url}/v1/poll?channel=${encodeURIComponent(channel)}`, { headers });
    const { cursor } = (await head.json()) as { cursor: string };
    this.#records.set(channel, { record: { numbers: [], sum: 0 }, cursor });
  }

  /** Answers the records that are kept. */
  readonly answer: Answer = (asked, answer) => {
    const kept = this.#records.get(decodeURIComponent((asked.url ?? '').split('/').at(-1)?.split('?')[0] ?? ''));
    if (kept === undefined) return void answer.writeHead(404).end();
    answer.writeHead(200, { 'content-type': 'application/json', 'tidings-cursor': kept.cursor });
    answer.end(JSON.stringify(kept.record));
  };

  #pause(numbers: Numbers): Promise<unknown> {
    return wait(this.#options.pause * 2 * numbers.next());
  }

  /** Each item has its own, whatever comes between. */
  #numbers(): Numbers {
    return random(this.#options.seed + this.#loops.length);
  }

  /** Publishes to a channel until it is stopped. */
  channel(channel: string): void {
    const numbers = this.#numbers();
    const loop = async () => {
      for (let n = 1; !this.#isOver; n += 1) {
        await this.#pause(numbers);
        const event = { channel, type: 'numbered', data: { n }, idempotencyKey: String(n) };
        const { id } = await this.#send(() => this.#publisher.publish(event, this.#control));
        const kept = this.#records.get(channel);
        if (kept === undefined) continue;
        const { record } = kept;
        this.#records.set(channel, {
          record: { numbers: [...record.numbers, n], sum: record.sum + n },
          cursor: id,
        });
      }
    };
    this.#loops.push(loop().catch(this.#failed));
  }

  /** Lets a cast have its life, within so many milliseconds. */
  cast({ id, end, at }: CastPlan, within: number): void {
    const numbers = this.#numbers();
    const over = Date.now() + within * at;
    const loop = async () => {
      await wait(numbers.next() * within * 0.2);
      await this.#tell(id, 'started', 'STARTED', {});
      for (let n = 1; !this.#isOver; n += 1) {
        await this.#pause(numbers);
        if (end !== null && Date.now() > over) return this.#end(id, end);
        if (numbers.chance(0.3)) await this.#tell(id, String(n), 'PROGRESS_UPDATE', { progress: n / 100 });
        else await this.#tell(id, String(n), 'ARTIFACT_READY', { artifactUrl: `https://files.example.test/${n}` });
      }
      // Whatever is to end has ended when the others stop.
      if (end !== null) await this.#end(id, end);
    };
    this.#loops.push(loop().catch(this.#failed));
  }

  async #end(id: string, end: NonNullable<End>): Promise<void> {
    if (end === 'complete') await this.#tell(id, 'end', 'COMPLETED', { costCents: 250 });
    if (end === 'failed') await this.#tell(id, 'end', 'FAILED', { errorMessage: 'no more' });
    if (end === 'cancelled') await this.#tell(id, 'end', 'STATUS_CHANGED', { status: 'cancelled' });
  }

  readonly #failed = (error: unknown): void => {
    if (!this.#control.signal.aborted) throw error;
  };

  /** Ends everything at once. */
  abort(): void {
    this.#isOver = true;
    this.#control.abort();
  }

  /** Lets everything end, and be taken. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#loops);
    await this.#publisher.close();
  }
}
