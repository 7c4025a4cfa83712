// What the leader has: the connection, and a subscription of it for each one of each tab.

import type { Client, Subscription } from '../client.ts';
import type { DriverParts } from '../driver.ts';
import type { Signal } from '../environment.ts';
import type { TidingsError } from '../failure.ts';
import type { State } from '../machine/state.ts';
import type { Status } from '../status.ts';
import type { Cursor, Event } from '../wire/generated.ts';
import type { Down, Item, Said, Wanted } from './messages.ts';
import { pairOf, type Shared } from './run.ts';

/** Most tabs of one leader. */
const TABS = 200;
/** Most subscriptions of one tab. */
const SUBSCRIPTIONS = 10_000;
/** Most items of one message. */
const ITEMS = 500;
/** Most items on their way to one tab. */
const UNTAKEN = 10_000;

/** What the hub works with. */
export interface HubParts {
  readonly parts: DriverParts;
  readonly shared: Shared;
  readonly isOffline: boolean;
  /** The leader's own tab, and the way to it. */
  readonly own: string;
  post(message: Down): void;
}

/** A tab. */
interface Guest {
  readonly line: { post(message: Down): void; close(): void };
  /** Its session; 0: none. */
  greeting: number;
  /** The messages of this session, from here and from there. */
  count: number;
  heard: number;
  readonly subscriptions: Map<number, Subscription>;
  items: Item[];
  /** What was sent and not taken. */
  untaken: number;
  isHidden: boolean;
}

/** The connection of several tabs. */
export class Hub {
  term: number;
  readonly #parts: HubParts;
  readonly #guests = new Map<string, Guest>();
  readonly #client: Client;
  readonly #end = new AbortController();
  #state: State | undefined;
  #listen: ((signal: Signal) => void) | undefined;
  #isHidden = false;
  #isPlanned = false;
  /** What is ready, and waits for the stream to have a position again. */
  #ready: ((position: Cursor) => void)[] = [];
  /** Whether all tabs are told the position, because there was a heartbeat. */
  #beats = false;

  constructor(term: number, hubParts: HubParts) {
    this.term = term;
    this.#parts = hubParts;
    const { options, environment, trace, create } = hubParts.parts;
    this.#client = create({
      ...options,
      tabs: false,
      trace: (entry) => {
        trace?.(entry);
        this.#state = entry.state as State;
        const { type } = entry.input;
        if (type === 'ping' || type === 'sign') this.#beats = true;
        if (this.#beats || this.#ready.length > 0) this.#plan();
      },
      environment: {
        ...environment,
        after: (time, run) => this.#after(time, run),
        watch: (listen) => {
          this.#listen = listen;
          if (hubParts.isOffline) listen('offline');
          if (this.#isHidden) listen('hidden');
          return () => {};
        },
      },
    });
    this.#client.onStatus((status) => {
      for (const guest of this.#guests.values()) this.#tell(guest, status);
    });
  }

  /** What is to be done, by when. */
  readonly #due = new Map<() => void, number>();

  /** Browsers slow the timers of hidden pages, but not what other pages say: so both see to it. */
  #after(time: number, run: () => void): () => void {
    const { environment } = this.#parts.parts;
    const cancel = () => {
      this.#due.delete(act);
      stop();
    };
    const act = () => {
      cancel();
      run();
    };
    const stop = environment.after(time, act);
    this.#due.set(act, environment.now() + time);
    return cancel;
  }

  /** Somebody looks for the leader. */
  here(tab: string, term: number): void {
    if (term > this.term) {
      // The time of day was set back; nobody would listen.
      this.term = term + 1;
      for (const guest of this.#guests.values()) this.#ask(guest);
    }
    const guest = this.#guests.get(tab);
    if (guest !== undefined) {
      if (guest.greeting === 0) this.#ask(guest);
      else this.#pong(guest);
      return;
    }
    const line = this.#line(tab);
    if (this.#guests.size >= TABS) {
      line.post({ term: this.term, type: 'full' });
      line.close();
      return;
    }
    const state = { greeting: 0, count: 0, heard: 0, untaken: 0, isHidden: false };
    const made: Guest = { line, ...state, subscriptions: new Map(), items: [] };
    this.#guests.set(tab, made);
    this.#ask(made);
    const { own, shared } = this.#parts;
    if (tab === own) return;
    const { signal } = this.#end;
    const gone = async () => this.#leave(tab);
    shared.locks.request(pairOf(shared, tab), { mode: 'shared', signal }, gone).catch(() => {});
  }

  #line(tab: string): Guest['line'] {
    const { own, post, shared } = this.#parts;
    if (tab === own) return { post, close: () => {} };
    const channel = shared.open(pairOf(shared, tab));
    channel.onmessage = ({ data }) => this.take(tab, data as Said);
    return { post: (message) => channel.postMessage(message), close: () => channel.close() };
  }

  /** A tab says something. */
  take(tab: string, said: Said) {
    const now = this.#parts.parts.environment.now();
    for (const [act, time] of [...this.#due]) if (time <= now) act();
    const guest = this.#guests.get(tab);
    if (guest === undefined) return;
    if (said.term > this.term) this.here(tab, said.term);
    if (said.term !== this.term) return;
    if (said.type === 'hello') return this.#greet(guest, said);
    if (said.greeting !== guest.greeting) return said.type === 'ping' ? this.#pong(guest) : undefined;
    if (said.count !== guest.heard) return this.#ask(guest);
    guest.heard += 1;
    switch (said.type) {
      case 'ping':
        return this.#pong(guest);
      case 'reconnect':
        return this.#client.reconnect();
      case 'bye':
        return this.#leave(tab);
      case 'follow':
        for (const wanted of said.wanted) this.#follow(guest, wanted);
        for (const n of said.gone) {
          guest.subscriptions.get(n)?.close();
          guest.subscriptions.delete(n);
        }
        return;
      case 'done':
        guest.untaken -= said.items;
        return;
      case 'sight':
        guest.isHidden = said.isHidden;
        this.#look();
    }
  }

  /** What the leader's own page hears of the network. */
  signal(signal: Signal): void {
    this.#listen?.(signal);
  }

  #ask(guest: Guest): void {
    this.#clear(guest);
    guest.greeting = 0;
    guest.line.post({ term: this.term, type: 'ask' });
  }

  #pong({ line, greeting, count }: Guest): void {
    line.post({ term: this.term, type: 'pong', greeting, count });
  }

  #clear(guest: Guest): void {
    for (const subscription of guest.subscriptions.values()) subscription.close();
    guest.subscriptions.clear();
    guest.items = [];
  }

  #greet(guest: Guest, said: Extract<Said, { type: 'hello' }>): void {
    // What it follows again within this task has neither come nor gone.
    this.#clear(guest);
    Object.assign(guest, { greeting: said.greeting, count: 0, heard: 1, untaken: 0, isHidden: said.isHidden });
    for (const wanted of said.wanted) this.#follow(guest, wanted);
    // A tab that begins may belong to somebody who has signed in meanwhile.
    if (this.#client.status.state === 'refused') this.#client.reconnect();
    const { status } = this.#client;
    // One that has not begun says nothing.
    if (status.state !== 'idle' || said.wanted.length === 0) this.#tell(guest, status);
    this.#plan();
    this.#look();
  }

  #leave(tab: string): void {
    const guest = this.#guests.get(tab);
    if (guest === undefined) return;
    this.#guests.delete(tab);
    this.#clear(guest);
    guest.line.close();
    this.#look();
  }

  /** The page is hidden where all of them are. */
  #look(): void {
    const isHidden = [...this.#guests.values()].every((guest) => guest.isHidden);
    if (isHidden === this.#isHidden || this.#guests.size === 0) return;
    this.#isHidden = isHidden;
    this.#listen?.(isHidden ? 'hidden' : 'visible');
  }

  #follow(guest: Guest, { n, channels, types, categories, since }: Wanted): void {
    if (guest.subscriptions.has(n)) return;
    if (guest.subscriptions.size >= SUBSCRIPTIONS) {
      for (const refused of channels) this.#put(guest, { refused, code: 'too_many_channels', to: n });
      return;
    }
    const what = { channels, since, ...(types && { types }), ...(categories && { categories }) };
    const subscription: Subscription = this.#client.subscribe(what, {
      onEvent: (event) => this.#event(guest, n, event),
      onGap: (gap) => this.#put(guest, { gap, to: n }),
      onError: (error) => {
        const { channel, code } = error as Partial<TidingsError>;
        if (channel !== undefined && code !== undefined) this.#put(guest, { refused: channel, code, to: n });
      },
    });
    guest.subscriptions.set(n, subscription);
    subscription.ready.then(
      () => {
        this.#ready.push((position) => {
          if (guest.subscriptions.get(n) === subscription) guest.items.push({ ready: n, position });
        });
        this.#plan();
      },
      () => {},
    );
  }

  #event(guest: Guest, n: number, event: Event): void {
    const last = guest.items.at(-1);
    // Those of one tab that take the same event are told it once, one after the other as they are.
    if (last !== undefined && 'event' in last && last.event === event) (last.to as number[]).push(n);
    else this.#put(guest, { event, to: [n] });
  }

  #put(guest: Guest, item: Item): void {
    guest.items.push(item);
    this.#plan();
  }

  #tell(guest: Guest, { error, ...status }: Status): void {
    this.#put(guest, { status: { ...status, failure: error?.failure ?? null } });
  }

  #plan(): void {
    if (this.#isPlanned) return;
    this.#isPlanned = true;
    queueMicrotask(() => this.#flush());
  }

  /** The stream's position, where nothing before it is still to come. */
  get #cursor(): Cursor | null {
    const { name, channels, cursor = null } = this.#state ?? {};
    const isSettled = name === 'live' && [...(channels?.values() ?? [])].every(({ phase }) => phase === 'joined');
    return isSettled ? cursor : null;
  }

  #flush(): void {
    this.#isPlanned = false;
    if (this.#end.signal.aborted) return;
    this.#place();
    const cursor = this.#cursor;
    const beats = this.#beats && cursor !== null;
    this.#beats = false;
    for (const guest of this.#guests.values()) {
      if (guest.greeting > 0 && (beats || guest.items.length > 0)) this.#send(guest, cursor);
    }
  }

  /** Tells who is ready, and where. */
  #place(): void {
    const position = this.#state?.cursor ?? null;
    if (position === null) return;
    for (const tell of this.#ready.splice(0)) tell(position);
  }

  #send(guest: Guest, cursor: Cursor | null): void {
    const { items, greeting, line } = guest;
    guest.items = [];
    guest.untaken += items.length;
    for (let from = 0; ; from += ITEMS) {
      const isLast = from + ITEMS >= items.length;
      const head = { term: this.term, type: 'news' as const, greeting, count: guest.count };
      guest.count += 1;
      line.post({ ...head, items: items.slice(from, from + ITEMS), cursor: isLast ? cursor : null });
      // What is taken at once may begin a new session.
      if (isLast || guest.greeting !== greeting) break;
    }
    // It is asleep, or slower than what comes: it goes on from where it is when it has come here.
    if (guest.untaken > UNTAKEN) this.#ask(guest);
  }

  close(): void {
    this.#end.abort();
    this.#client.close();
    for (const { line } of this.#guests.values()) line.close();
    this.#guests.clear();
  }
}
