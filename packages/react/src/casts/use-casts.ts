// Many casts in one component.

import type { Cast } from '@tidings/client/casts';
import { useInsertionEffect, useMemo, useState, useSyncExternalStore } from 'react';
import { type Hub, hubOf } from '../hub.ts';
import { useClient } from '../provider.tsx';
import { Listener } from '../store.ts';
import { useListener } from '../use-store.ts';
import { type CastState, NO_CAST } from './cast-state.ts';
import type { CastEventHandlers } from './cast-store.ts';
import { type CastTopic, castTopic } from './topics.ts';

/** What {@link useCasts} answers. */
export interface CastsResult {
  /** The casts that are known, by their ids. */
  readonly casts: Readonly<Record<string, Cast>>;
  /** Whether events come of every one that has not ended and can be had, and there is such a one. */
  readonly isConnected: boolean;
  /** Why a cast is not there or not connected, by its id. */
  readonly errors: Readonly<Record<string, Error>>;
}

const NONE: CastsResult = { casts: {}, isConnected: false, errors: {} };
const NO_HANDLERS: CastEventHandlers = {};

/** The handlers of the hook for each cast; the connection is told for all together. */
class Member extends Listener<CastEventHandlers> {
  keys: ReadonlySet<string> = new Set();
  override connection(): void {}
  override isFor(key: string): boolean {
    return this.keys.has(key);
  }
}

/** What a hook sees of its casts; computed anew only where one of them has changed. */
class CastsView {
  readonly #hub: Hub;
  readonly keys: ReadonlySet<string>;
  readonly #topics: ReadonlyMap<string, CastTopic>;
  readonly #member: Member;
  readonly #listener: Listener<CastEventHandlers>;
  #states: readonly CastState[] = [];
  #result = NONE;

  constructor(hub: Hub, ids: readonly string[], member: Member, listener: Listener<CastEventHandlers>) {
    this.#hub = hub;
    this.#topics = new Map(ids.map((id) => [id, castTopic(id)]));
    this.keys = new Set([...this.#topics.values()].map(({ key }) => key));
    this.#member = member;
    this.#listener = listener;
  }

  readonly subscribe = (notify: () => void): (() => void) => {
    const changed = () => {
      this.#listener.connection(this.read().isConnected);
      notify();
    };
    const ends = [...this.#topics.values()].map((topic) => this.#hub.attach(topic, this.#member, changed));
    let isHere = true;
    this.#hub.frames.put(() => isHere && changed());
    return () => {
      isHere = false;
      for (const end of ends) end();
    };
  };

  readonly read = (): CastsResult => {
    const states = [...this.#topics.values()].map((topic) => this.#hub.find(topic)?.state ?? NO_CAST);
    const isSame = states.length === this.#states.length && states.every((state, at) => state === this.#states[at]);
    if (isSame) return this.#result;
    this.#states = states;
    const byId = [...this.#topics.keys()].map((id, at) => [id, states[at] ?? NO_CAST] as const);
    const open = states.filter(({ cast, brief, error }) => !brief.isTerminal && (cast !== null || error === null));
    this.#result = {
      casts: Object.fromEntries(byId.flatMap(([id, { cast }]) => (cast ? [[id, cast]] : []))),
      errors: Object.fromEntries(byId.flatMap(([id, { error }]) => (error ? [[id, error]] : []))),
      isConnected: open.length > 0 && open.every(({ isConnected }) => isConnected),
    };
    return this.#result;
  };
}

/**
 * Follows any number of casts over the one connection. The list may change with each render, and may be inline; what is
 * `null`, `undefined` or empty in it counts for nothing.
 *
 * `onConnectionChange` is told of all together.
 */
export function useCasts(
  castIds: readonly (string | null | undefined)[],
  handlers: CastEventHandlers = NO_HANDLERS,
): CastsResult {
  const hub = hubOf(useClient());
  const listener = useListener(handlers);
  const [member] = useState(() => new Member(handlers));
  const ids = JSON.stringify([...new Set(castIds.filter(Boolean))]);
  const view = useMemo(
    () => new CastsView(hub, JSON.parse(ids) as string[], member, listener),
    [hub, ids, member, listener],
  );
  useInsertionEffect(() => {
    member.handlers = handlers;
    member.keys = view.keys;
  });
  return useSyncExternalStore(view.subscribe, view.read, () => NONE);
}
