// A tab: it takes part in the election, asks the leader for what it follows, and keeps up to where it has everything.

import { isCursor, orderOf } from '../cursor.ts';
import type { Driver, DriverParts } from '../driver.ts';
import type { Follower } from '../follower.ts';
import type { Happening } from '../machine/step.ts';
import type { Told } from '../status.ts';
import type { Cursor } from '../wire/generated.ts';
import { Hub } from './hub.ts';
import type { Call, Down, Item, News, Said, Up, Wanted } from './messages.ts';
import { begin, pairOf, type Run, type Shared } from './run.ts';

/** Unanswered questions after which the leader counts as asleep. */
const PATIENCE = 3;
/** The leader is told after so many items that they were taken. */
const TAKEN = 500;

/** A subscription of this tab. */
interface Followed {
  readonly follower: Follower;
  /** Everything up to here was given; `null`: it is not known where it begins. */
  position: Cursor | null;
  /** Whether the stream's position is its own. */
  isLive: boolean;
}

function later(a: Cursor | null, b: Cursor | null): Cursor | null {
  return a !== null && (b === null || orderOf(b) < orderOf(a)) ? a : b;
}

/** Stands where a connection of the tab's own would. */
export class Member implements Driver {
  /** Nothing is joined without the leader. */
  readonly state = { name: 'idle', cursor: null, channels: new Map() } as const;
  #isClosed = false;
  #status: Told['state'] = 'connecting';
  #wasLive = false;
  #told = '';
  readonly #parts: DriverParts;
  readonly #shared: Shared;
  readonly #followed = new Map<number, Followed>();
  readonly #numbers = new Map<Follower, number>();
  #names = 0;
  #run: Run | undefined;
  #hub: Hub | undefined;
  #term = 0;
  /** Counts the sessions; whether this one goes on. */
  #greeting = 0;
  #isTold = false;
  /** The messages of this session, from the leader and from here, and the stream's position as they said it. */
  #count = 0;
  #said = 0;
  #cursor: Cursor | null = null;
  #taken = 0;
  #isHidden = false;
  #isOffline = false;
  /** Whether the leader has said anything since it was asked; how often it has not. */
  #isHeard = false;
  #misses = 0;

  constructor(parts: DriverParts, shared: Shared) {
    this.#parts = parts;
    this.#shared = shared;
  }

  take({ type }: Happening): void {
    if (this.#isClosed) return;
    switch (type) {
      case 'want':
        this.#start();
        this.#settle();
        return;
      case 'reconnect':
        this.#say({ type });
        return;
      case 'online':
      case 'offline':
        this.#isOffline = type === 'offline';
        this.#hub?.signal(type);
        return;
      case 'visible':
      case 'hidden':
        this.#isHidden = type === 'hidden';
        if (this.#followed.size > 0) this.#start();
        this.#say({ type: 'sight', isHidden: this.#isHidden });
        return;
      case 'frozen':
        this.#stop();
        this.#show('idle');
        return;
      case 'close':
        this.#stop();
        this.#isClosed = true;
        this.#show('closed');
    }
  }

  #show(state: 'idle' | 'closed'): void {
    this.#tell({ state, transport: null, failure: null, attempt: 0, nextAttemptAt: null });
  }

  /** Begins to take part, unless it does. */
  #start(): void {
    if (this.#run !== undefined) return;
    const run = begin(this.#shared);
    this.#run = run;
    run.call.onmessage = ({ data }) => this.#hear(data as Call);
    run.pair.onmessage = ({ data }) => {
      // A leader listens to nobody.
      if (this.#hub === undefined) this.#down(data as Down);
    };
    const sit = () => {
      if (run !== this.#run) return Promise.resolve();
      this.#look();
      this.#elect(run, false);
      this.#tick(run);
      return run.over;
    };
    // The leader sees by it when this tab is gone.
    const options = { signal: run.end.signal };
    this.#shared.locks.request(pairOf(this.#shared, run.tab), options, sit).catch(() => this.#standAlone(run));
  }

  /** Takes no part any more. */
  #stop(): void {
    const run = this.#run;
    if (run === undefined) return;
    if (this.#hub === undefined) this.#say({ type: 'bye' });
    this.#leave();
    this.#run = undefined;
    run.cancel();
    run.end.abort();
    run.candidacy.abort();
    run.call.close();
    run.pair.close();
    // The connection is closed; now another tab may have one.
    run.finish();
  }

  dispose(): void {
    this.#stop();
  }

  async #elect(run: Run, steal: boolean): Promise<void> {
    run.candidacy.abort();
    const candidacy = new AbortController();
    run.candidacy = candidacy;
    const { base, locks } = this.#shared;
    const lead = () => {
      if (run !== this.#run || candidacy.signal.aborted) return Promise.resolve();
      this.#lead(run);
      run.call.postMessage({ type: 'lead', term: this.#term } satisfies Call);
      return run.over;
    };
    try {
      await locks.request(base, steal ? { steal } : { signal: candidacy.signal }, lead);
    } catch (error) {
      if (run !== this.#run || candidacy.signal.aborted) return;
      if ((error as Error).name !== 'AbortError') return this.#standAlone(run);
      // Somebody thought that this tab was asleep, or stole what this tab had stolen.
      if (this.#hub !== undefined) {
        this.#leave();
        this.#look();
      }
      this.#elect(run, false);
    }
  }

  #lead(run: Run): void {
    this.#leave();
    const [parts, shared] = [this.#parts, this.#shared];
    const post = (message: Down) => this.#down(message);
    const term = Math.max(Date.now(), this.#term + 1) + parts.environment.random();
    this.#hub = new Hub(term, { parts, shared, isOffline: this.#isOffline, own: run.tab, post });
    this.#hub.here(run.tab, term);
  }

  /** Has a connection without the others. */
  #standAlone(run: Run): void {
    if (run !== this.#run || this.#hub !== undefined) return;
    run.cancel();
    run.candidacy.abort();
    run.call.onmessage = null;
    this.#lead(run);
  }

  /** Ends the session, and the leadership. */
  #leave(): void {
    this.#isTold = false;
    const hub = this.#hub;
    this.#hub = undefined;
    hub?.close();
  }

  /** Looks for the leader. */
  #look(): void {
    const run = this.#run;
    run?.call.postMessage({ type: 'here', term: this.#term, tab: run.tab } satisfies Call);
  }

  #hear(call: Call): void {
    if (call.type === 'here') {
      this.#hub?.here(call.tab, call.term);
    } else if (this.#hub === undefined && call.term > this.#term) {
      this.#term = call.term;
      this.#isTold = false;
      this.#isHeard = true;
      this.#look();
    }
  }

  /** Asks now and then whether the leader lives. */
  #tick(run: Run): void {
    const { environment, options } = this.#parts;
    const [time, began] = [(options.heartbeat ?? 30_000) / 6, environment.now()];
    run.cancel = environment.after(time, () => {
      this.#settle();
      // Whoever was asleep itself knows nothing of others.
      const hasSlept = environment.now() - began > 2 * time;
      this.#misses = this.#isHeard || hasSlept || this.#hub !== undefined ? 0 : this.#misses + 1;
      this.#isHeard = false;
      this.#tick(run);
      if (this.#hub !== undefined) return;
      if (this.#isTold) this.#say({ type: 'ping' });
      else this.#look();
      if (this.#misses < PATIENCE) return;
      // Of several that have waited not all are to do it at once.
      if (environment.random() < 0.5) this.#elect(run, true);
    });
  }

  #say(up: Up): void {
    if (!this.#isTold) return;
    const said: Said = { greeting: this.#greeting, ...up, term: this.#term, count: this.#said };
    this.#said += 1;
    const { tab, pair } = this.#run ?? {};
    if (this.#hub === undefined) pair?.postMessage(said);
    else if (tab !== undefined) this.#hub.take(tab, said);
  }

  /** Says what is followed, from where each is; nothing that was said before counts any more. */
  #hello(): void {
    this.#greeting += 1;
    this.#count = 0;
    this.#said = 0;
    this.#taken = 0;
    this.#settle(false);
    this.#place();
    for (const one of this.#followed.values()) one.isLive = false;
    this.#isTold = true;
    const wanted = [...this.#followed.keys()].map((n) => this.#wanted(n)).filter((one) => one !== undefined);
    this.#say({ type: 'hello', greeting: this.#greeting, wanted, isHidden: this.#isHidden });
  }

  /** Gives each subscription that is live the stream's position for its own. */
  #place(): void {
    if (this.#cursor === null) return;
    for (const one of this.#followed.values()) if (one.isLive) one.position = later(one.position, this.#cursor);
    this.#cursor = null;
  }

  #wanted(n: number): Wanted | undefined {
    const one = this.#followed.get(n);
    if (one === undefined || one.follower.channels.size === 0) return undefined;
    const { channels, types, categories, since } = one.follower;
    return { n, channels: [...channels], types, categories, since: one.position ?? since };
  }

  /** Sees what has come to be followed, and what is not any more. */
  #settle(isSaid = true): void {
    const { followers } = this.#parts.ledger;
    const gone: number[] = [];
    const wanted: Wanted[] = [];
    for (const [follower, n] of this.#numbers) {
      if (followers.has(follower)) continue;
      this.#numbers.delete(follower);
      this.#followed.delete(n);
      gone.push(n);
    }
    for (const follower of followers) {
      if (this.#numbers.has(follower)) continue;
      this.#names += 1;
      this.#numbers.set(follower, this.#names);
      const position = isCursor(follower.since) ? follower.since : null;
      this.#followed.set(this.#names, { follower, position, isLive: false });
      const one = this.#wanted(this.#names);
      if (one !== undefined) wanted.push(one);
    }
    if (!isSaid) return;
    if (wanted.length + gone.length > 0) this.#say({ type: 'follow', wanted, gone });
  }

  /** The leader says something. */
  #down(message: Down): void {
    if (message.term < this.#term) return;
    this.#term = message.term;
    this.#isHeard = true;
    if (message.type === 'news') this.#news(message);
    else if (message.type === 'full') this.#run && this.#standAlone(this.#run);
    else if (message.type === 'ask' || !this.#isTold) this.#hello();
    else if (message.greeting !== this.#greeting || message.count !== this.#count) this.#hello();
  }

  #news({ greeting, count, items, cursor }: News) {
    if (greeting !== this.#greeting || !this.#isTold) return;
    if (count !== this.#count) return this.#hello();
    this.#count += 1;
    for (const item of items) {
      this.#take(item);
      // What is called may have ended it all.
      if (greeting !== this.#greeting || !this.#isTold) return;
    }
    // It goes back where the stream begins again for somebody; who is live has had that already.
    this.#cursor = later(this.#cursor, cursor);
    this.#taken += items.length;
    if (this.#taken >= TAKEN) {
      this.#say({ type: 'done', items: this.#taken });
      this.#taken = 0;
    }
  }

  #take(item: Item) {
    const { ledger } = this.#parts;
    if ('status' in item) return this.#tell(item.status);
    if ('event' in item) {
      for (const n of item.to) {
        const one = this.#followed.get(n);
        if (one === undefined || !ledger.followers.has(one.follower)) continue;
        if (one.position !== null && orderOf(item.event.id) <= orderOf(one.position)) continue;
        one.position = item.event.id;
        one.follower.delivery.put({ event: item.event });
      }
      return;
    }
    const one = this.#followed.get('ready' in item ? item.ready : item.to);
    if (one === undefined || !ledger.followers.has(one.follower)) return;
    const { follower } = one;
    if ('ready' in item) {
      // The stream may have been further on before it began again for this one.
      this.#place();
      one.isLive = true;
      one.position = later(one.position, item.position);
      follower.joined(follower.channels, item.position);
      return;
    }
    // These hold for every subscription of the channel, and are told to each once.
    if ('refused' in item) return ledger.take({ type: 'refuse', channel: item.refused, code: item.code });
    const { reason, through } = item.gap;
    if (reason === 'unauthorized') return ledger.take({ type: 'gap', reset: { ...item.gap, reason }, position: null });
    if (reason === 'unknown') this.#cursor = null;
    if (reason !== 'expired') one.position = through;
    follower.delivery.put({ gap: item.gap });
  }

  #tell(told: Told): void {
    let { state } = told;
    if (state === 'connecting' && this.#wasLive) {
      // Another tab takes over: nothing has failed.
      if (this.#status === 'connected' && told.failure === null) return;
      state = 'reconnecting';
    }
    const text = JSON.stringify([state, told]);
    if (text === this.#told) return;
    this.#told = text;
    this.#status = state;
    this.#wasLive ||= state === 'connected';
    this.#parts.onTold({ ...told, state });
  }
}
