// Who follows what: any number of subscriptions over one stream, each channel counted.

import { orderOf, type Since } from './cursor.ts';
import type { Gap } from './delivery.ts';
import type { Follower } from './follower.ts';
import type { Effect } from './machine/step.ts';
import { covers, isWide } from './pattern.ts';
import { Recent } from './recent.ts';
import type { Cursor, Event } from './wire/generated.ts';

/** Most words of a filter that the server takes. */
const FILTER_WORDS = 100;

/** What the stream may leave out, since nobody takes it; empty lists leave out nothing. */
export interface Filter {
  readonly types: readonly string[];
  readonly categories: readonly string[];
}

function union(lists: readonly (readonly string[] | undefined)[]): readonly string[] {
  const words = new Set<string>();
  for (const list of lists) {
    if (list === undefined) return [];
    for (const word of list) words.add(word);
  }
  return words.size > FILTER_WORDS ? [] : [...words].sort();
}

/** Whether a filter lets everything pass that another does. */
export function isWithin(wanted: Filter, filter: Filter): boolean {
  const fits = (words: readonly string[], all: readonly string[]) =>
    all.length === 0 || (words.length > 0 && words.every((word) => all.includes(word)));
  return fits(wanted.types, filter.types) && fits(wanted.categories, filter.categories);
}

/** The subscriptions of one client. */
export class Ledger {
  readonly #byChannel = new Map<string, Set<Follower>>();
  /** Those of them that take in more than one channel: most events are looked up by their channels alone. */
  readonly #wide = new Set<string>();
  readonly followers = new Set<Follower>();
  readonly #recent: Recent;
  /** The channels that are catching up. */
  #group: ReadonlySet<string> = new Set();

  constructor(recentLimit: number) {
    this.#recent = new Recent(recentLimit);
  }

  add(follower: Follower): void {
    this.followers.add(follower);
    for (const channel of follower.channels) {
      if (isWide(channel)) this.#wide.add(channel);
      const set = this.#byChannel.get(channel);
      if (set === undefined) this.#byChannel.set(channel, new Set([follower]));
      else set.add(follower);
    }
  }

  remove(follower: Follower): void {
    this.followers.delete(follower);
    for (const channel of follower.channels) this.#leave(channel, follower);
  }

  #leave(channel: string, follower: Follower): void {
    const set = this.#byChannel.get(channel);
    set?.delete(follower);
    if (set?.size === 0) this.#forget(channel);
  }

  #forget(channel: string): void {
    this.#byChannel.delete(channel);
    this.#wide.delete(channel);
  }

  has(channel: string): boolean {
    return this.#byChannel.has(channel);
  }

  filter(): Filter {
    const all = [...this.followers];
    return { types: union(all.map(({ types }) => types)), categories: union(all.map(({ categories }) => categories)) };
  }

  /**
   * Gives a follower that begins in the past what the stream will not give again; `false` where that is not known any
   * more, so that the stream must begin there.
   */
  recall(follower: Follower, since: Since): boolean {
    const after = since === 'start' ? '' : orderOf(since as Cursor);
    if (this.#recent.start > after) return false;
    for (const event of this.#recent.after(after)) follower.take(event);
    return true;
  }

  /** Carries out what concerns those who follow. */
  take(effect: Effect) {
    switch (effect.type) {
      case 'event':
        return this.#event(effect.event, effect.isLive, effect.size);
      case 'opened': {
        this.#recent.truncate(effect.position);
        const channels = new Set(effect.channels);
        for (const follower of this.followers) follower.opened(channels, effect.position);
        return;
      }
      case 'subscribed':
        this.#group = new Set(effect.channels);
        return;
      case 'joined': {
        this.#group = new Set();
        const channels = new Set(effect.channels);
        for (const follower of this.#of(effect.channels)) follower.joined(channels, effect.position);
        return;
      }
      case 'gap': {
        const gap: Gap = effect.reset;
        for (const follower of this.followers) follower.gap(gap, effect.position);
        // Nobody gets anything from these channels any more.
        if (gap.reason === 'unauthorized') for (const channel of gap.channels) this.#forget(channel);
        return;
      }
      case 'refuse': {
        const refused = this.#of([effect.channel]);
        this.#forget(effect.channel);
        for (const follower of refused) follower.refuse(effect.channel, effect.code);
        return;
      }
      case 'forget':
        this.#recent.clear();
        for (const follower of this.followers) follower.forget();
        return;
      default:
    }
  }

  #of(channels: readonly string[]): Set<Follower> {
    const found = new Set<Follower>();
    for (const channel of channels) for (const follower of this.#byChannel.get(channel) ?? []) found.add(follower);
    return found;
  }

  #event(event: Event, isLive: boolean, size: number): void {
    this.#recent.add(event, size);
    const on = [event.channel, ...(event.also ?? [])];
    const wide = [...this.#wide].filter((pattern) => on.some((channel) => covers(pattern, channel)));
    for (const follower of this.#of([...on, ...wide])) {
      if (isLive) follower.take(event);
      else follower.missed(event, this.#group);
    }
  }
}
