// One seeded run: a client behind a proxy that fails, and events all the while.

import type { Server } from '@tidings/testkit';
import { ANSWER_FAULTS, type Fault, FaultProxy, LIVE_FAULTS, OPENING_FAULTS } from '../support/proxy.ts';
import { publishNumbers } from '../support/publish.ts';
import { type Numbers, random } from '../support/random.ts';
import type { Rig, RigOptions, Told } from './rig.ts';

/** How often each fault struck, and how often with an event on its way. */
export type Struck = Map<Fault, { struck: number; inFlight: number }>;

export interface RunParts {
  readonly server: Server;
  readonly key: string;
  readonly transport: string;
  readonly seed: number;
  readonly struck: Struck;
  makeRig(options: RigOptions): Rig | Promise<Rig>;
}

/** A refusal whose status the transport shows decides what the state is; others are seen as something on the way. */
function stateAfter(fault: Fault, transport: string): Told['state'] | undefined {
  if (transport === 'websocket' || transport === 'eventsource') return undefined;
  return fault === '403' ? 'refused' : fault === '204' ? 'closed' : undefined;
}

/** Which faults there are for a transport. */
export function faultsFor(transport: string): readonly Fault[] {
  // A WebSocket carries its answers itself, a poll has no stream, and a stream that a ticket opened is opened anew.
  const answers = transport === 'sse' ? ANSWER_FAULTS : [];
  return [...LIVE_FAULTS, ...OPENING_FAULTS, ...answers];
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

class Run {
  readonly #parts: RunParts;
  readonly #numbers: Numbers;
  readonly #proxy: FaultProxy;
  readonly #rig: Rig;
  /** What was published, by channel. */
  readonly #sent = new Map<string, string[]>();
  #published = 0;
  #steps: string[] = [];
  readonly #channel: string;

  constructor(parts: RunParts, proxy: FaultProxy, rig: Rig) {
    this.#parts = parts;
    this.#numbers = random(parts.seed);
    this.#proxy = proxy;
    this.#rig = rig;
    this.#channel = `run:${parts.seed}`;
    proxy.onStrike = (fault) => {
      const count = parts.struck.get(fault) ?? { struck: 0, inFlight: 0 };
      count.struck += 1;
      if (this.#inFlight || (LIVE_FAULTS as readonly Fault[]).includes(fault)) count.inFlight += 1;
      parts.struck.set(fault, count);
    };
  }
  /** Something was published that the client cannot have. */
  #inFlight = false;

  #fail(why: string, told?: Told): never {
    const { seed, transport } = this.#parts;
    const sent = Object.fromEntries([...this.#sent].map(([channel, ids]) => [channel, ids.length]));
    const got = told && Object.fromEntries(Object.entries(told.ids).map(([channel, ids]) => [channel, ids.length]));
    throw new Error(
      `seed ${seed} (${transport}): ${why}; steps ${this.#steps.join(', ')}; sent ${JSON.stringify(sent)}, told ${JSON.stringify({ ...told, ids: got })}`,
    );
  }

  async #until(what: string, holds: (told: Told) => boolean): Promise<void> {
    const end = Date.now() + 25_000;
    let told = await this.#rig.told();
    while (!holds(told)) {
      if (Date.now() > end) this.#fail(`still waiting for ${what}`, told);
      await pause(10);
      told = await this.#rig.told();
    }
  }

  async #publish(count: number): Promise<void> {
    const channel = this.#numbers.pick([...this.#sent.keys()]);
    const ids = await publishNumbers(this.#parts.server, this.#parts.key, channel, count, this.#published);
    this.#published += count;
    this.#sent.get(channel)?.push(...ids);
  }

  #isCaughtUp(told: Told): boolean {
    return [...this.#sent].every(([channel, ids]) => (told.ids[channel]?.length ?? 0) >= ids.length);
  }

  async #follow(channel: string): Promise<void> {
    await this.#rig.subscribe(channel);
    await this.#until('connected', ({ state }) => state === 'connected');
    // Until its first event comes it is not known to be live.
    const ids: string[] = [];
    const first = async () => {
      const told = await this.#rig.told();
      return (told.ids[channel]?.length ?? 0) > 0;
    };
    for (let tries = 0; !(await first()); tries += 1) {
      if (tries > 200) this.#fail(`${channel} does not begin`, await this.#rig.told());
      ids.push(...(await publishNumbers(this.#parts.server, this.#parts.key, channel, 1, -1)));
      await pause(100);
    }
    const told = await this.#rig.told();
    this.#sent.set(channel, ids.slice(ids.indexOf(told.ids[channel]?.[0] ?? '')));
    await this.#until('the first events', (now) => this.#isCaughtUp(now));
  }

  /** Events of the channel that is there already are on their way while another is added. */
  async #strikeAnswer(fault: Fault): Promise<void> {
    this.#inFlight = true;
    // What the fault before it did may still open the stream anew, with the channel and so without a change of its own.
    for (let tries = 0; this.#proxy.isArmed(fault); tries += 1) {
      if (tries > 10) this.#fail('no change of the stream is asked for', await this.#rig.told());
      const more = this.#rig.subscribe(`${this.#channel}:${this.#steps.length}-${tries}`);
      await this.#publish(2);
      await more;
      for (let turns = 0; turns < 200 && this.#proxy.isArmed(fault); turns += 1) await pause(10);
    }
    this.#inFlight = false;
  }

  async #strike(fault: Fault): Promise<void> {
    this.#steps.push(fault);
    const isAnswer = (ANSWER_FAULTS as readonly Fault[]).includes(fault);
    // A stream that is just being opened would take the channel along. A credential that was never accepted is given up
    // at its first refusal.
    if (isAnswer || fault === '401')
      await this.#until('everything', (told) => this.#isCaughtUp(told) && told.state === 'connected');
    this.#proxy.arm(fault);
    if (isAnswer) return this.#strikeAnswer(fault);
    if ((LIVE_FAULTS as readonly Fault[]).includes(fault)) return this.#publish(1 + this.#numbers.below(3));
    let release = () => {};
    this.#proxy.gate = new Promise((resolve) => {
      release = resolve;
    });
    this.#proxy.cutStreams();
    await this.#publish(1 + this.#numbers.below(3));
    this.#inFlight = true;
    release();
    this.#proxy.gate = undefined;
    await this.#until('the strike', () => !this.#proxy.isArmed(fault));
    this.#inFlight = false;
    const state = stateAfter(fault, this.#parts.transport);
    if (state === undefined) return;
    await this.#until(state, (told) => told.state === state);
    await this.#rig.reconnect();
  }

  async go(): Promise<void> {
    const numbers = this.#numbers;
    const faults = faultsFor(this.#parts.transport);
    await this.#follow(this.#channel);
    const rounds = 2 + numbers.below(3);
    for (let round = 0; round < rounds; round += 1) {
      if (numbers.chance(0.5)) await this.#publish(1 + numbers.below(4));
      if (numbers.chance(0.2) && this.#sent.size < 3) await this.#follow(`${this.#channel}:more-${round}`);
      await this.#strike(numbers.pick(faults));
      if (numbers.chance(0.5)) await this.#publish(1);
      if (numbers.chance(0.3)) await pause(numbers.below(40));
      else await this.#until('everything', (told) => this.#isCaughtUp(told));
    }
    this.#proxy.disarm();
    await this.#until('everything', (told) => this.#isCaughtUp(told) && told.state === 'connected');
    const told = await this.#rig.told();
    for (const [channel, ids] of this.#sent) {
      if (JSON.stringify(told.ids[channel]) !== JSON.stringify(ids))
        this.#fail(`${channel} is not as it was sent`, told);
    }
    if (told.gaps.length > 0 || told.errors.length > 0) this.#fail('gaps or errors', told);
    const timers = await this.#rig.close();
    if (timers > 0) this.#fail(`${timers} timers are left`);
    // Chromium reads on for up to five seconds in an answer that nobody wants, so as to use its connection again.
    const end = Date.now() + 25_000;
    while (this.#proxy.open > 0) {
      if (Date.now() > end) this.#fail(`connections are left: ${this.#proxy.said}`);
      await pause(10);
    }
  }
}

/** Carries out one run. */
export async function run(parts: RunParts): Promise<void> {
  const proxy = await FaultProxy.start(parts.server.port, `"channel":"run:${parts.seed}`);
  try {
    const rig = await parts.makeRig({ url: proxy.url, key: parts.key, transport: parts.transport });
    try {
      await new Run(parts, proxy, rig).go();
    } finally {
      await rig.close();
    }
  } finally {
    await proxy.stop();
  }
}

/** Carries out runs, so many at once; the first failure ends it. */
export async function runAll(
  seeds: readonly number[],
  atOnce: number,
  one: (seed: number) => Promise<void>,
): Promise<void> {
  const left = [...seeds];
  const worker = async () => {
    for (let seed = left.shift(); seed !== undefined; seed = left.shift()) await one(seed);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** Says how often each fault struck; fails where one never did with an event on its way. */
export function report(transport: string, runs: number, struck: Struck): void {
  const rows = faultsFor(transport).map((fault) => {
    const { struck: times, inFlight } = struck.get(fault) ?? { struck: 0, inFlight: 0 };
    return { fault, times, inFlight };
  });
  const text = rows.map(({ fault, times, inFlight }) => `${fault} ${inFlight}/${times}`).join(', ');
  console.log(`${transport}, ${runs} runs, struck with an event in flight / struck: ${text}`);
  const missing = rows.filter(({ inFlight }) => inFlight === 0).map(({ fault }) => fault);
  if (missing.length > 0)
    throw new Error(`${transport}: these never struck with an event in flight: ${missing.join(', ')}`);
}
