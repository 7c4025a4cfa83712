// What every snippet is tried with: the real server, a signed-in user in Chromium, and a backend with a service key.

import { type Key, Server, type User } from '@tidings/testkit';
import type { BrowserContext } from 'playwright-core';
import { expect } from 'vitest';
import { type CastHelpers, createCastHelpers, createPublisher } from '../../../../publisher/src/index.ts';
import { figures, until } from '../../support/figures.ts';
import type { Given } from '../page/told.ts';
import type { Snippet } from '../table.ts';
import { type Ended, type Facts, runBackend } from './backend.ts';
import { Chromium, type Cookies, Opened } from './chromium.ts';
import { nameOf, pageCode } from './page-code.ts';

/** As the document has it, or as its twin. */
export type Variant = 'loose' | 'strict';

export class Rig {
  readonly server: Server;
  readonly chromium: Chromium;
  readonly user: User;
  readonly key: Key;
  /** What a backend tells. */
  readonly tell: CastHelpers;
  readonly #code: string;
  readonly #cookies: Cookies;
  #contexts: BrowserContext[] = [];
  #names = 0;

  private constructor(server: Server, chromium: Chromium, user: User, key: Key, cookies: Cookies, code: string) {
    this.server = server;
    this.chromium = chromium;
    this.user = user;
    this.key = key;
    this.#code = code;
    this.#cookies = cookies;
    this.tell = createCastHelpers(createPublisher({ url: server.url, apiKey: key.key }));
  }

  static async start(): Promise<Rig> {
    const [chromium, code] = await Promise.all([Chromium.start(), pageCode()]);
    return Rig.#with(chromium, code);
  }

  static async #with(chromium: Chromium, code: string): Promise<Rig> {
    const server = await Server.start();
    const [user, key] = [await server.user(), await server.key()];
    // Once: more would be too many for a minute.
    return new Rig(server, chromium, user, key, await chromium.signIn(server, user), code);
  }

  /** With a server of its own, in the same browser, where a snippet names its cast and needs it to end twice. */
  async fresh(): Promise<Rig> {
    return Rig.#with(this.chromium, this.#code);
  }

  async stop(): Promise<void> {
    await this.leave();
    await this.server.stop();
  }

  /** A cast of the user's that waits; answers its id. */
  async cast(id?: string): Promise<string> {
    this.#names += 1;
    const cast = await this.tell.publishCastStatusChange(id ?? `cast-${this.#names}`, this.user.id, 'queued');
    return cast.id;
  }

  async started(castId: string): Promise<void> {
    await this.tell.publishCastStarted(castId, this.user.id, new Date());
  }

  async completed(castId: string): Promise<void> {
    await this.tell.publishCastCompleted(castId, this.user.id, new Date(), 180_000, 250, 'https://files.example/1.zip');
  }

  async failed(castId: string): Promise<void> {
    await this.tell.publishCastFailed(castId, this.user.id, 'out of memory');
  }

  /** The record as the server has it. */
  async record(castId: string) {
    const headers = { authorization: `Bearer ${this.key.key}` };
    const answer = await fetch(`${this.server.url}/api/casts/${castId}`, { headers });
    return (await answer.json()) as NonNullable<Given['initialCast']>;
  }

  /** The user in a browser of its own. */
  async visitor(): Promise<BrowserContext> {
    const context = await this.chromium.visitor(this.server, this.#code, this.#cookies);
    this.#contexts.push(context);
    return context;
  }

  /** The snippet on a page. */
  async open(
    snippet: Pick<Snippet, 'file'>,
    variant: Variant,
    given: Given,
    context?: BrowserContext,
  ): Promise<Opened> {
    return Opened.at(context ?? (await this.visitor()), `${variant}/${nameOf(snippet)}`, given);
  }

  /** The snippet in a backend. */
  async run({ file }: Snippet, variant: Variant, facts: Omit<Facts, 'userId'>): Promise<Ended> {
    const entry =
      variant === 'loose'
        ? `import './node/prelude.ts'; import * as snippet from './loose/${file}'; await snippet['Snippet']?.(${JSON.stringify(facts.action)});`
        : `import { twins } from './node/twins.ts'; await twins['${file}']();`;
    return runBackend(entry, this.server.url, this.key.key, { ...facts, userId: this.user.id });
  }

  /** Waits until the server has so many streams. */
  async streams(count: number): Promise<void> {
    const seen = await until(
      `${count} streams`,
      () => figures(this.server),
      ({ streams }) => streams === count,
    );
    expect(seen.streams).toBe(count);
  }

  /** Closes what was opened, so that the next starts from nothing. */
  async leave(): Promise<void> {
    const contexts = this.#contexts;
    this.#contexts = [];
    await Promise.all(contexts.map((context) => context.close()));
    await this.streams(0);
  }
}
