// A project outside of the repository, which has nothing but what it installs.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { surroundings } from '@tidings/testkit';
import { run } from './packages.ts';

type Environment = { readonly [name: string]: string };

/** What the test runner sets for itself, which would make a build one for tests. */
const OF_THE_RUNNER = /^(NODE_ENV|MODE|DEV|PROD|SSR|BASE_URL|VITEST.*|TEST)$/;

function surroundingsOf(environment: Environment = {}): NodeJS.ProcessEnv {
  const all = Object.entries(surroundings()).filter(([name]) => !OF_THE_RUNNER.test(name));
  return { ...Object.fromEntries(all), ...environment };
}

const FLAGS = ['--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'];

/** A project. */
export class Project {
  readonly folder: string;
  readonly #processes = new Set<ChildProcess>();

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Makes one with these files, and installs what its package.json names. */
  static async make(files: { readonly [path: string]: string }): Promise<Project> {
    const project = new Project(await mkdtemp(join(tmpdir(), 'tidings-project-')));
    await project.write(files);
    await run('npm', ['install', ...FLAGS], { cwd: project.folder, env: surroundingsOf() });
    return project;
  }

  async write(files: { readonly [path: string]: string }): Promise<void> {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(this.folder, path)), { recursive: true });
      await writeFile(join(this.folder, path), text);
    }
  }

  /** Runs Node in it; answers what it says. What it says when it fails is the error's. */
  async node(args: readonly string[], environment?: Environment): Promise<string> {
    const env = surroundingsOf(environment);
    try {
      return (await run(process.execPath, [...args], { cwd: this.folder, env })).stdout;
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string };
      throw new Error(`node ${args.join(' ')}: ${stdout}${stderr}`);
    }
  }

  /** Starts Node in it, and lets it run until the project is removed. */
  start(args: readonly string[], environment?: Environment): { readonly said: () => string } {
    const child = spawn(process.execPath, [...args], {
      cwd: this.folder,
      env: surroundingsOf(environment),
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (text) => {
        said = (said + text).slice(-4000);
      });
    }
    this.#processes.add(child);
    return { said: () => said };
  }

  async remove(): Promise<void> {
    for (const child of this.#processes) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}
