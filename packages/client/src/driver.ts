// Runs the machine: gives it what happens, carries out its effects, keeps its timers.

import type { Client } from './client.ts';
import { configOf } from './config.ts';
import type { Environment } from './environment.ts';
import { asFailure, type Failure, failure, TidingsError } from './failure.ts';
import type { Ledger } from './ledger.ts';
import { machine } from './machine/machine.ts';
import { initialState, type State, type Timer } from './machine/state.ts';
import type { Effect, Happening } from './machine/step.ts';
import type { ClientOptions, Trace } from './options.ts';
import type { Requests } from './requests.ts';
import type { Told } from './status.ts';
import { translate } from './translate.ts';
import type { Ask, Connection, Host, Incoming, Transport } from './transports/transport.ts';

/** A transport, or what loads it. */
export interface Loadable {
  readonly name: string;
  load(): Promise<Transport>;
}

/** What runs the connection of one client. */
export interface Driver {
  readonly state: Pick<State, 'name' | 'cursor' | 'channels'>;
  /** Takes what happened. What happens meanwhile waits its turn. */
  take(happening: Happening): void;
  /** Ends whatever is under way. */
  dispose(): void;
}

/** What a driver works with. */
export interface DriverParts {
  readonly options: ClientOptions;
  /** Makes another client. */
  readonly create: (options: ClientOptions) => Client;
  readonly environment: Environment;
  readonly requests: () => Promise<Requests>;
  readonly transports: readonly Loadable[];
  readonly ledger: Ledger;
  readonly trace: Trace | undefined;
  onState(state: State): void;
  /** Takes a status from elsewhere in place of a state. */
  onTold(told: Told): void;
}

/** A stream, from the wish for it to its end. */
class Attempt {
  #connection: Connection | undefined;
  isOver = false;

  start(connection: Connection): void {
    this.#connection = connection;
    if (this.isOver) connection.close();
  }

  get connection(): Connection {
    if (this.#connection === undefined) throw new TidingsError(failure('network', 'closed'));
    return this.#connection;
  }

  close(): void {
    this.isOver = true;
    this.#connection?.close();
  }
}

/** Runs one machine. */
class MachineDriver implements Driver {
  state: State;
  readonly #parts: DriverParts;
  #attempt: Attempt | undefined;
  readonly #probes = new Set<Attempt>();
  readonly #inbox: Happening[] = [];
  #isRunning = false;
  #alarm: { readonly at: number; cancel(): void } | undefined;

  constructor(parts: DriverParts) {
    this.#parts = parts;
    this.state = initialState(configOf(parts.options, parts.transports.length));
  }

  take(happening: Happening) {
    this.#inbox.push(happening);
    if (this.#isRunning) return;
    this.#isRunning = true;
    try {
      for (let next = this.#inbox.shift(); next !== undefined; next = this.#inbox.shift()) this.#step(next);
    } finally {
      this.#isRunning = false;
    }
    this.#setAlarm();
    this.#parts.onState(this.state);
  }

  #step(happening: Happening) {
    const { environment, trace } = this.#parts;
    const input = { ...happening, now: environment.now(), draw: environment.random() };
    const from = this.state.name;
    const { state, effects } = machine(this.state, input);
    this.state = state;
    try {
      trace?.({ input, from, to: state.name, effects, state });
    } catch (error) {
      environment.report(error);
    }
    for (const effect of effects) this.#run(effect);
  }

  #run(effect: Effect) {
    switch (effect.type) {
      case 'open':
        this.#attempt?.close();
        this.#attempt = this.#open(effect);
        return;
      case 'stop':
        this.#attempt?.close();
        this.#attempt = undefined;
        return;
      case 'change':
        return this.#ask(
          (connection) => connection.change(effect.add, effect.remove),
          ({ refused }) => ({ type: 'changed', refused }),
          (why) => ({ type: 'unchanged', failure: why }),
        );
      case 'renew':
        return this.#ask(
          async (connection) => {
            await (await this.#parts.requests()).refresh();
            return connection.renew();
          },
          () => ({ type: 'renewed', failure: null }),
          (why) => ({ type: 'renewed', failure: why }),
        );
      case 'probe':
        return this.#probe(effect.transport);
      default:
        this.#parts.ledger.take(effect);
    }
  }

  #open(effect: Extract<Effect, { type: 'open' }>): Attempt {
    const take = (incoming: Incoming) => {
      const happening = translate(incoming);
      if (happening !== null) this.take(happening);
    };
    const ask = { ...effect, ...this.#parts.ledger.filter(), heartbeat: this.state.config.heartbeat };
    return this.#start(effect.transport, ask, effect.fresh, take, (why) => this.take({ type: 'closed', failure: why }));
  }

  /** Opens a stream; what comes once it is over is dropped. */
  #start(
    transport: number,
    ask: Ask,
    fresh: boolean,
    take: (incoming: Incoming) => void,
    closed: (why: Failure) => void,
  ): Attempt {
    const { environment, requests: load, transports } = this.#parts;
    const attempt = new Attempt();
    const end = (why: Failure) => {
      if (attempt.isOver) return;
      attempt.isOver = true;
      closed(why);
    };
    const start = async () => {
      const found = transports[transport];
      if (found === undefined)
        throw new TidingsError(failure('gone', 'unsupported', 'none of the option `transports` works here'));
      const [loaded, requests] = await Promise.all([found.load(), load()]);
      if (fresh) await requests.refresh();
      if (attempt.isOver) return;
      const host: Host = {
        environment,
        requests,
        take: (incoming) => {
          if (!attempt.isOver) take(incoming);
        },
        closed: end,
      };
      attempt.start(loaded.open(ask, host));
    };
    start().catch((error) => end(asFailure(error)));
    return attempt;
  }

  /** Asks the open stream for something; what comes of it is of no interest once the stream is another one. */
  #ask<T>(
    ask: (connection: Connection) => Promise<T>,
    then: (answer: T) => Happening,
    failed: (why: Failure) => Happening,
  ) {
    const attempt = this.#attempt;
    if (attempt === undefined) return;
    let cancel = () => {};
    const late = new Promise<never>((_, reject) => {
      const why = failure('network', 'timeout', 'the server did not answer in time');
      cancel = this.#parts.environment.after(this.state.config.openTimeout, () => reject(new TidingsError(why)));
    });
    const tell = (happening: Happening) => {
      if (!attempt.isOver) this.take(happening);
    };
    Promise.race([Promise.resolve().then(() => ask(attempt.connection)), late])
      .then(
        (answer) => tell(then(answer)),
        (error) => tell(failed(asFailure(error))),
      )
      .finally(() => cancel());
  }

  /** Sees whether a better transport gets through, beside the stream that runs. */
  #probe(transport: number): void {
    const done = (works: boolean) => {
      if (!this.#probes.delete(attempt)) return;
      cancel();
      attempt.close();
      this.take({ type: 'probed', transport, works });
    };
    const { environment } = this.#parts;
    const { heartbeat, openTimeout } = this.state.config;
    const ask: Ask = { channels: [], all: [], since: 'now', types: [], categories: [], heartbeat };
    const take = ({ event }: Incoming) => event === '$ready' && done(true);
    const attempt = this.#start(transport, ask, false, take, () => done(false));
    this.#probes.add(attempt);
    const cancel = environment.after(openTimeout, () => done(false));
  }

  /** One timer of the platform stands for those of the state: the earliest. */
  #setAlarm(): void {
    const times = Object.values(this.state.timers);
    const at = times.length === 0 ? undefined : Math.min(...times);
    if (at === this.#alarm?.at) return;
    this.#alarm?.cancel();
    this.#alarm = undefined;
    if (at === undefined || at === Number.POSITIVE_INFINITY) return;
    const { environment } = this.#parts;
    const cancel = environment.after(Math.max(at - environment.now(), 0), () => {
      this.#alarm = undefined;
      this.#ring();
    });
    this.#alarm = { at, cancel };
  }

  #ring(): void {
    // The platform's timers may come a little early, and long times are cut to what fits.
    const now = this.#parts.environment.now();
    const due = Object.entries(this.state.timers).filter(([, time]) => time <= now);
    for (const [timer] of due) this.take({ type: 'timer', timer: timer as Timer });
    this.#setAlarm();
  }

  dispose(): void {
    for (const probe of this.#probes) probe.close();
    this.#probes.clear();
    this.#alarm?.cancel();
  }
}

/** A connection of this client's own. */
export function drive(parts: DriverParts): Driver {
  return new MachineDriver(parts);
}
