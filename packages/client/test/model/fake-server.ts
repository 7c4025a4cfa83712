// A server in memory that keeps to the protocol: one log, sessions that cover what they have given, channels that are
// added in groups. What it says waits until the test lets it pass, so that every order can be had.

import { earlier, orderOf, type Since } from '../../src/cursor.ts';
import { failure, TidingsError } from '../../src/failure.ts';
import { covers } from '../../src/pattern.ts';
import type { Ask, Connection, Host, Incoming, Transport } from '../../src/transports/transport.ts';
import type { Addition, Changed, Cursor, Event } from '../../src/wire/generated.ts';
import { settle } from '../support/clock.ts';

export function idOf(n: number, lineage = 1): Cursor {
  return `${n.toString(32).toUpperCase().padStart(13, '0')}.000000${lineage}` as Cursor;
}

function isOn(event: Event, patterns: Iterable<string>): boolean {
  const on = [event.channel, ...(event.also ?? [])];
  for (const pattern of patterns) if (on.some((channel) => covers(pattern, channel))) return true;
  return false;
}

/** One stream. */
export class Session implements Connection {
  readonly #server: FakeServer;
  readonly #host: Host;
  /** From where each channel is covered. */
  readonly #from = new Map<string, number>();
  #position = 0;
  readonly out: (() => void)[] = [];
  isOpen = true;

  constructor(server: FakeServer, ask: Ask, host: Host) {
    this.#server = server;
    this.#host = host;
    const start = this.#resolve(ask.since);
    this.#position = start ?? server.head;
    // As many as an address holds.
    const channels = ask.channels.slice(0, server.addressHolds);
    for (const channel of channels) this.#from.set(channel, this.#position);
    const isCursor = ask.since !== 'now' && ask.since !== 'start';
    this.#say(
      { event: '$ready', data: { session: 's', resumed: isCursor && start !== null, channels, head: server.headId } },
      this.#position,
    );
    if (start === null) {
      this.#say({ event: '$reset', data: { reason: 'unknown', channels, through: server.headId } }, this.#position);
    }
  }

  #resolve(since: Since): number | null {
    if (since === 'now') return this.#server.head;
    if (since === 'start') return 0;
    return since.slice(14) === this.#server.headId.slice(14) ? Number.parseInt(orderOf(since), 32) : null;
  }

  #say(incoming: Incoming, position?: number): void {
    const id = position === undefined ? {} : { id: idOf(position, this.#server.lineage) };
    this.out.push(() => this.#host.take({ ...incoming, ...id }));
  }

  /** Reads on to the log's end. */
  read(): void {
    for (const event of this.#server.log.slice(this.#position)) {
      this.#position += 1;
      const order = this.#position;
      const [mine] = [[...this.#from].filter(([, from]) => from < order).map(([channel]) => channel)];
      if (isOn(event, mine)) this.#say({ event: event.type, data: event, size: 1 }, order);
    }
  }

  /** What it carries. */
  get channels(): string[] {
    return [...this.#from.keys()].sort();
  }

  heartbeat(): void {
    this.#say({ event: '$ping', data: {} }, this.#position);
  }

  change(add: readonly Addition[], remove: readonly string[]): Promise<Changed> {
    for (const channel of remove) this.#from.delete(channel);
    const groups = new Map<string, string[]>();
    for (const { channel, since = 'now' } of add) groups.set(since, [...(groups.get(since) ?? []), channel]);
    for (const [since, channels] of groups) this.#join(since as Since, channels);
    return new Promise((resolve, reject) => {
      const answer = () => resolve({ added: add.map(({ channel }) => channel), refused: [] });
      // The answer and the stream are on connections of their own.
      this.#server.answers.push((isLost) => (isLost ? reject(new TidingsError(failure('network'))) : answer()));
    });
  }

  #join(since: Since, channels: readonly string[]): void {
    const start = since === 'now' ? this.#position : this.#resolve(since);
    const from = start ?? this.#position;
    this.#say({ event: '$subscribed', data: { channels, from: idOf(from) } });
    if (start === null) {
      this.#say({
        event: '$reset',
        data: { reason: 'unknown', channels, through: idOf(this.#position, this.#server.lineage) },
      });
    }
    for (const [index, event] of this.#server.log.slice(0, this.#position).entries()) {
      const order = index + 1;
      if (order <= from || !isOn(event, channels)) continue;
      const covered = [...this.#from].filter(([, begin]) => begin < order).map(([channel]) => channel);
      if (isOn(event, covered)) continue;
      this.#say({ event: event.type, data: event, size: 1 });
    }
    for (const channel of channels) this.#from.set(channel, Math.min(this.#from.get(channel) ?? from, from));
    this.#say({ event: '$joined', data: { channels } }, this.#position);
  }

  async renew(): Promise<void> {}

  /** The connection breaks; what was said and has not passed is lost. */
  cut(): void {
    if (!this.isOpen) return;
    this.close();
    this.#host.closed(failure('network', 'cut'));
  }

  close(): void {
    this.isOpen = false;
    this.out.length = 0;
  }
}

/** The server. */
export class FakeServer {
  log: Event[] = [];
  lineage = 1;
  addressHolds = 2;
  sessions: Session[] = [];
  /** How many streams were opened. */
  opened = 0;
  /** Answers that have not passed yet. */
  answers: ((isLost: boolean) => void)[] = [];

  get head(): number {
    return this.log.length;
  }

  get headId(): Cursor {
    return idOf(this.head, this.lineage);
  }

  publish(
    channel: string,
    also: readonly string[],
    more?: { readonly version: number; readonly type: string; readonly status: string },
  ): Event {
    const id = idOf(this.head + 1, this.lineage);
    const data = more ?? this.head;
    const event: Event = { id, channel, type: 't', time: '', data, ...(also.length > 0 && { also }), ...more };
    this.log.push(event);
    return event;
  }

  get open(): Session[] {
    this.sessions = this.sessions.filter(({ isOpen }) => isOpen);
    return this.sessions;
  }

  readonly transport: Transport = {
    name: 'fake',
    isSupported: () => true,
    open: (ask, host) => {
      const session = new Session(this, ask, host);
      this.sessions.push(session);
      this.opened += 1;
      return session;
    },
  };

  /** Lets everything pass that is on its way. */
  async flow(): Promise<void> {
    for (let turn = 0; turn < 5; turn += 1) {
      await settle();
      for (const answer of this.answers.splice(0)) answer(false);
      for (const session of this.open) {
        session.read();
        for (const say of session.out.splice(0)) say();
      }
    }
    await settle();
  }
}

export { earlier, isOn };
