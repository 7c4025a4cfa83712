// The package as npm packs it, in a project of its own: it installs alone, runs, and its types hold.

import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Server, surroundings } from '@tidings/testkit';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const folder = new URL('../../', import.meta.url).pathname;

let server: Server;
let project: string;

beforeAll(async () => {
  server = await Server.start();
  project = await mkdtemp(join(tmpdir(), 'tidings-project-'));
});
afterAll(async () => {
  await server?.stop();
  if (project) await rm(project, { recursive: true, force: true });
});

const PROGRAM = `
import { createPublisher, publishCastStarted, publishCastCompleted, PublishError } from '@tidings/publisher';
const cast = await publishCastStarted('cast_9', 'user_9', new Date());
await publishCastCompleted(cast.id, cast.userId, new Date(), 1000, 1);
const publisher = createPublisher();
publisher.enqueue({ channel: 'packed', type: 't', data: { n: 1 } });
await publisher.close();
const late = await publishCastStarted('cast_9', 'user_9', new Date()).catch((error: unknown) => error);
if (!(late instanceof PublishError)) throw new Error('this should have been refused');
console.log(JSON.stringify([cast.status, late.code]));
`;

test('installs into a fresh project, runs and has types', { timeout: 180_000 }, async () => {
  await run('npm', ['run', 'build'], { cwd: folder });
  const packed = await run('npm', ['pack', '--json', '--pack-destination', project], { cwd: folder });
  const [{ filename, files }] = JSON.parse(packed.stdout) as [{ filename: string; files: { path: string }[] }];
  const paths = files.map(({ path }) => path);
  for (const needed of [
    'dist/index.js',
    'dist/index.js.map',
    'dist/index.d.ts',
    'src/index.ts',
    'LICENSE-MIT',
    'README.md',
    'package.json',
  ]) {
    expect(paths).toContain(needed);
  }
  expect(paths.filter((path) => path.startsWith('test'))).toEqual([]);

  await writeFile(join(project, 'package.json'), JSON.stringify({ name: 'fresh', private: true, type: 'module' }));
  await run('npm', ['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', `./${filename}`], {
    cwd: project,
  });
  const { stdout: listed } = await run('npm', ['ls', '--all', '--parseable'], { cwd: project });
  // The project and the package: nothing else comes with it.
  expect(listed.trim().split('\n')).toHaveLength(2);

  const key = await server.key();
  const env = { ...surroundings(), TIDINGS_URL: server.url, TIDINGS_API_KEY: key.key };
  await writeFile(join(project, 'program.mts'), PROGRAM);
  await mkdir(join(project, 'out'));
  const tsc = new URL('../../../node_modules/typescript/bin/tsc', import.meta.url).pathname;
  const types = new URL('../../../node_modules/@types', import.meta.url).pathname;
  const flags = [
    '--strict',
    '--module',
    'nodenext',
    '--target',
    'es2022',
    '--types',
    'node',
    '--typeRoots',
    types,
    '--outDir',
    'out',
  ];
  await run(process.execPath, [tsc, ...flags, 'program.mts'], { cwd: project });
  const { stdout } = await run(process.execPath, ['out/program.mjs'], { cwd: project, env });
  expect(JSON.parse(stdout)).toEqual(['running', 'illegal_transition']);
  expect((await server.history(key.key, 'packed')).map(({ data }) => data)).toEqual([{ n: 1 }]);
});
