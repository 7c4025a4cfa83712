// The program's own database: a file of casts, written whole. Yours is PostgreSQL, MongoDB or what you have.

import { randomUUID } from 'node:crypto';
import { readFile, rename, writeFile } from 'node:fs/promises';
import type { CastStatus } from '@tidings/publisher';

/** A cast as this program keeps it. */
export interface CastRecord {
  readonly id: string;
  readonly userId: string;
  readonly spell: string;
  readonly status: CastStatus;
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  readonly duration: number | null;
  readonly costCents: number | null;
  readonly artifactUrl: string | null;
  readonly errorMessage: string | null;
  /** Whether Tidings knows of the last change. Written as false with each change, so that no crash can hide one. */
  readonly isTold: boolean;
}

/** Casts by their ids. One change at a time. */
export class CastStore {
  readonly #path: string;
  readonly #casts: Map<string, CastRecord>;
  #last: Promise<unknown> = Promise.resolve();

  private constructor(path: string, casts: readonly CastRecord[]) {
    this.#path = path;
    this.#casts = new Map(casts.map((cast) => [cast.id, cast]));
  }

  static async open(path: string): Promise<CastStore> {
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '[]';
      throw error;
    });
    return new CastStore(path, JSON.parse(text) as CastRecord[]);
  }

  find(id: string): CastRecord | undefined {
    return this.#casts.get(id);
  }

  untold(): readonly CastRecord[] {
    return [...this.#casts.values()].filter((cast) => !cast.isTold);
  }

  async create(userId: string, spell: string): Promise<CastRecord> {
    const cast: CastRecord = {
      id: `cast_${randomUUID()}`,
      userId,
      spell,
      status: 'queued',
      startedAt: null,
      finishedAt: null,
      duration: null,
      costCents: null,
      artifactUrl: null,
      errorMessage: null,
      isTold: false,
    };
    return this.#put(cast);
  }

  /** Changes a cast; `undefined` where there is none. */
  async change(id: string, change: Partial<CastRecord>): Promise<CastRecord | undefined> {
    const cast = this.#casts.get(id);
    return cast && this.#put({ ...cast, isTold: false, ...change });
  }

  /** Notes that Tidings knows of this state of a cast; not if it has changed since. */
  async markTold(cast: CastRecord): Promise<void> {
    if (this.#casts.get(cast.id) === cast) await this.#put({ ...cast, isTold: true });
  }

  async #put(cast: CastRecord): Promise<CastRecord> {
    this.#casts.set(cast.id, cast);
    const write = async () => {
      await writeFile(`${this.#path}.new`, JSON.stringify([...this.#casts.values()]));
      await rename(`${this.#path}.new`, this.#path);
    };
    // After a write that failed the next one is tried all the same.
    const written = this.#last.then(write, write);
    this.#last = written;
    await written;
    return cast;
  }
}
