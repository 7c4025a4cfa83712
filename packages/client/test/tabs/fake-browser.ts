// A browser in memory: pages with locks, channels, timers and streams, whose tasks run when the test says so. A page can be
// frozen, without a word, and crash.

import type { Broadcast, Environment, Locks, Signal } from '../../src/environment.ts';
import type { Connection, Transport } from '../../src/transports/transport.ts';
import { FakeServer, type Session } from '../model/fake-server.ts';
import { Clock } from '../support/clock.ts';

/** Tasks that keep their order among each other, and with no others. */
interface Lane {
  readonly page: Page;
  readonly tasks: (() => void)[];
}

interface Request {
  readonly page: Page;
  readonly mode: 'exclusive' | 'shared';
  grant(): void;
  reject(error: Error): void;
}

function abortError(): Error {
  return Object.assign(new Error('aborted'), { name: 'AbortError' });
}

/** One page. */
export class Page {
  readonly browser: FakeBrowser;
  readonly name: string;
  isFrozen = false;
  /** Its timers run once a minute. */
  isSlow = false;
  isGone = false;
  /** A lock of its was stolen, and it does not know yet. */
  isRobbed = false;
  #thaw: (() => void)[] = [];
  #listeners = new Set<(signal: Signal) => void>();
  readonly #timers = new Set<() => void>();
  readonly channels = new Set<FakeChannel>();

  constructor(browser: FakeBrowser, name: string) {
    this.browser = browser;
    this.name = name;
  }

  get runs(): boolean {
    return !this.isFrozen && !this.isGone;
  }

  /** Runs now, or once the page is thawed, or never. */
  run(task: () => void): void {
    if (this.isFrozen) this.#thaw.push(task);
    else if (!this.isGone) task();
  }

  freeze(): void {
    this.isFrozen = true;
  }

  thaw(): void {
    this.isFrozen = false;
    for (const task of this.#thaw.splice(0)) this.run(task);
  }

  signal(signal: Signal): void {
    for (const listener of this.#listeners) listener(signal);
  }

  crash(): void {
    this.isGone = true;
    this.isFrozen = false;
    this.#thaw = [];
    for (const channel of this.channels) channel.close();
    for (const cancel of this.#timers) cancel();
    this.browser.locks.drop(this);
    for (const session of this.browser.sessionsOf(this)) session.close();
  }

  get locks(): Locks {
    return { request: (name, options, hold) => this.browser.locks.request(this, name, options, hold) };
  }

  /** The surroundings of a client on this page. */
  environment(numbers: () => number): Partial<Environment> {
    const { clock } = this.browser;
    const page = this;
    return {
      now: () => clock.now,
      random: numbers,
      after: (time, run) => {
        let isOff = false;
        if (this.isGone) return () => {};
        const late = this.isSlow ? 60_000 - ((clock.now + time) % 60_000) : 0;
        const cancel = clock.after(time + late, () => {
          this.#timers.delete(cancel);
          this.run(() => !isOff && run());
        });
        this.#timers.add(cancel);
        return () => {
          isOff = true;
          this.#timers.delete(cancel);
          cancel();
        };
      },
      watch: (listener) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
      fetch: (() => Promise.reject(new Error('not here'))) as never,
      report: (error) => {
        throw error;
      },
      origin: 'https://app.test',
      locks: this.locks,
      BroadcastChannel: class extends FakeChannel {
        constructor(name: string) {
          super(page, name);
        }
      },
    };
  }

  /** A stream to the server, whose frames reach the page while it runs. The channel `no` cannot be added. */
  get transport(): Transport {
    return {
      name: 'fake',
      isSupported: () => true,
      open: (ask, host): Connection => {
        const session = this.browser.server.transport.open(ask, {
          ...host,
          closed: (why) => this.run(() => host.closed(why)),
        }) as Session;
        this.browser.owners.set(session, this);
        return {
          close: () => session.close(),
          renew: () => session.renew(),
          change: async (add, remove) => {
            const [yes, no] = [
              add.filter(({ channel }) => channel !== 'no'),
              add.filter(({ channel }) => channel === 'no'),
            ];
            const answer = session.change(yes, remove);
            await answer.catch(() => {});
            await new Promise<void>((resolve) => this.run(resolve));
            const refused = no.map(({ channel }) => ({ channel, code: 'forbidden_channel' as const }));
            return { ...(await answer), refused };
          },
        };
      },
    };
  }
}

class FakeChannel implements Broadcast {
  onmessage: ((event: { readonly data: unknown }) => void) | null = null;
  readonly #page: Page;
  readonly name: string;
  isOpen = true;

  constructor(page: Page, name: string) {
    this.#page = page;
    this.name = name;
    page.channels.add(this);
    page.browser.channels.add(this);
  }

  postMessage(message: unknown): void {
    if (!this.isOpen) return;
    const text = JSON.stringify(message);
    const { browser } = this.#page;
    browser.posted += 1;
    if (process.env['TIDINGS_MODEL_LOUD'] !== undefined) console.log(this.#page.name, this.name.slice(-6), text);
    for (const other of browser.channels) {
      if (other === this || other.name !== this.name) continue;
      const task = () => other.isOpen && other.onmessage?.({ data: JSON.parse(text) });
      if (!browser.isLost(text)) browser.lane(other.#page, this, other).push(task);
    }
  }

  close(): void {
    this.isOpen = false;
    this.#page.channels.delete(this);
    this.#page.browser.channels.delete(this);
  }
}

/** The locks of a browser. */
class FakeLocks {
  readonly #browser: FakeBrowser;
  readonly #held = new Map<string, Set<Request>>();
  readonly #queues = new Map<string, Request[]>();

  constructor(browser: FakeBrowser) {
    this.#browser = browser;
  }

  /** Who holds or waits for anything. */
  get size(): number {
    return [...this.#held.values(), ...this.#queues.values()].reduce((sum, all) => sum + [...all].length, 0);
  }

  /** The page that holds a lock of this name. */
  holder(includes: string): Page | undefined {
    for (const [name, held] of this.#held) if (name.endsWith(includes)) return [...held][0]?.page;
    return undefined;
  }

  request(
    page: Page,
    name: string,
    { mode = 'exclusive', steal = false, signal }: Parameters<Locks['request']>[1],
    hold: () => Promise<void>,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const tell = (task: () => void) => this.#browser.lane(page, this, page).push(task);
      let isOver = false;
      const request: Request = {
        page,
        mode,
        grant: () =>
          tell(() => {
            if (isOver) return;
            Promise.resolve(hold())
              .then(resolve)
              .finally(() => this.#release(name, request));
          }),
        reject: (error) => {
          isOver = true;
          tell(() => reject(error));
        },
      };
      if (signal?.aborted) return reject(abortError());
      signal?.addEventListener('abort', () => {
        const queue = this.#queues.get(name) ?? [];
        const at = queue.indexOf(request);
        if (at < 0) return;
        queue.splice(at, 1);
        reject(abortError());
        this.#next(name);
      });
      if (steal) {
        this.#browser.steals += 1;
        for (const robbed of this.#held.get(name) ?? []) {
          robbed.page.isRobbed = true;
          robbed.reject(abortError());
          this.#browser.lane(robbed.page, this, robbed.page).push(() => {
            robbed.page.isRobbed = false;
          });
        }
        this.#held.set(name, new Set([request]));
        request.grant();
        return;
      }
      this.#queues.set(name, [...(this.#queues.get(name) ?? []), request]);
      this.#next(name);
    });
  }

  #release(name: string, request: Request): void {
    this.#held.get(name)?.delete(request);
    this.#next(name);
  }

  #next(name: string): void {
    const queue = this.#queues.get(name) ?? [];
    const held = this.#held.get(name) ?? new Set();
    this.#held.set(name, held);
    for (let next = queue[0]; next !== undefined; next = queue[0]) {
      const fits = held.size === 0 || (next.mode === 'shared' && [...held].every(({ mode }) => mode === 'shared'));
      if (!fits) return;
      queue.shift();
      held.add(next);
      next.grant();
    }
  }

  /** The page is gone. */
  drop(page: Page): void {
    for (const queue of this.#queues.values()) {
      for (const request of queue.filter((one) => one.page === page)) queue.splice(queue.indexOf(request), 1);
    }
    for (const [name, held] of this.#held) {
      for (const request of held) if (request.page === page) held.delete(request);
      this.#next(name);
    }
  }
}

/** The browser, and the server that its pages follow. */
export class FakeBrowser {
  readonly clock = new Clock();
  readonly server = new FakeServer();
  readonly locks = new FakeLocks(this);
  readonly channels = new Set<FakeChannel>();
  readonly owners = new Map<Session, Page>();
  posted = 0;
  steals = 0;
  /** Which messages are lost. */
  isLost: (text: string) => boolean = () => false;
  #lanes = new Map<object, Map<object, Lane>>();

  page(name: string): Page {
    return new Page(this, name);
  }

  /** The tasks from one to another. */
  lane(page: Page, from: object, to: object): { push(task: () => void): void } {
    const lanes = this.#lanes.get(from) ?? new Map<object, Lane>();
    this.#lanes.set(from, lanes);
    const lane = lanes.get(to) ?? { page, tasks: [] };
    lanes.set(to, lane);
    return lane.tasks;
  }

  /** The lanes with a task that can run. */
  get ready(): Lane[] {
    const found: Lane[] = [];
    for (const [from, lanes] of this.#lanes) {
      for (const [to, lane] of lanes) {
        if (lane.page.isGone || lane.tasks.length === 0) lanes.delete(to);
        else if (lane.page.runs) found.push(lane);
      }
      if (lanes.size === 0) this.#lanes.delete(from);
    }
    return found;
  }

  sessionsOf(page: Page): Session[] {
    return this.server.open.filter((session) => this.owners.get(session) === page);
  }

  /** The streams whose page runs. */
  get sessions(): Session[] {
    return this.server.open.filter((session) => this.owners.get(session)?.runs);
  }
}
