// The packages, packed as they are published.

import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export const run = promisify(execFile);

export const NAMES = ['client', 'react', 'publisher'] as const;
export type PackageName = (typeof NAMES)[number];

const folderOf = (name: PackageName) => new URL(`../../../${name}/`, import.meta.url).pathname;

/** When the last of a folder's files was changed; nothing is older than what is not there. */
async function changedAt(folder: string, last: (...times: number[]) => number): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const times = await Promise.all(files.map(async (file) => (await stat(file)).mtimeMs));
  return times.length === 0 ? 0 : last(...times);
}

/** A package as npm packs it. */
export interface Packed {
  readonly name: PackageName;
  /** The tarball. */
  readonly file: string;
  /** What is in it. */
  readonly paths: readonly string[];
}

/** All packages, packed into a folder outside of the repository. */
export class Tarballs {
  readonly folder: string;
  readonly packed: { readonly [name in PackageName]: Packed };

  private constructor(folder: string, packed: readonly Packed[]) {
    this.folder = folder;
    this.packed = Object.fromEntries(packed.map((one) => [one.name, one])) as { [name in PackageName]: Packed };
  }

  /** Builds what is older than its source, and packs. */
  static async pack(): Promise<Tarballs> {
    const folder = await mkdtemp(join(tmpdir(), 'tidings-packed-'));
    const packed: Packed[] = [];
    // In this order: each is built with the types of those before.
    for (const name of NAMES) packed.push(await packOne(name, folder));
    return new Tarballs(folder, packed);
  }

  /** What package.json says to install these. */
  dependencies(...names: readonly PackageName[]): { readonly [name: string]: string } {
    return Object.fromEntries(names.map((name) => [`@tidings/${name}`, `file:${this.packed[name].file}`]));
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }
}

async function packOne(name: PackageName, folder: string): Promise<Packed> {
  const cwd = folderOf(name);
  const built = await changedAt(join(cwd, 'dist'), Math.min);
  if (built < (await changedAt(join(cwd, 'src'), Math.max))) await run('npm', ['run', 'build'], { cwd });
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd });
  const [{ filename, files }] = JSON.parse(stdout) as [{ filename: string; files: { path: string }[] }];
  return { name, file: join(folder, filename), paths: files.map(({ path }) => path) };
}

/** The version that this workspace has of a package. */
export async function versionOf(name: string): Promise<string> {
  const file = new URL(`../../../node_modules/${name}/package.json`, import.meta.url);
  return (JSON.parse(await readFile(file, 'utf8')) as { version: string }).version;
}
