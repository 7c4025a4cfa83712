// A fresh Node project that installs the tarballs: it follows what it publishes, its types hold, and its source maps lead
// to sources that are there.

import { readFile } from 'node:fs/promises';
import { posix } from 'node:path';
import { Server } from '@tidings/testkit';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { NAMES, type Packed, Tarballs, versionOf } from './support/packages.ts';
import { Project } from './support/project.ts';

const PROGRAM = `
import { createClient } from '@tidings/client';
import { followCast } from '@tidings/client/casts';
import { createPublisher, PublishError, publishCastCompleted, publishCastStarted } from '@tidings/publisher';

const url = process.env.TIDINGS_URL as string;
const client = createClient({ url, auth: process.env.TIDINGS_API_KEY as string });
const told: unknown[] = [];
let enough = () => {};
const all = new Promise<void>((resolve) => { enough = resolve; });
const subscription = client.subscribe<{ n: number }>('news:1', ({ data }) => {
  told.push(data.n);
  if (told.length === 3) enough();
});
await subscription.ready;
told.push(client.status.transport);
const publisher = createPublisher();
await publisher.publish({ channel: 'news:1', type: 't', data: { n: 1 } });
publisher.enqueue({ channel: 'news:1', type: 't', data: { n: 2 } });
await all;
await publisher.close();

await publishCastStarted('cast_1', 'user_1', new Date());
const ended = new Promise<void>((resolve) => {
  followCast(client, 'cast_1', {
    onStatus: ({ status }, { isInitial }) => { told.push(isInitial ? 'initially ' + status : status); },
    onEnd: ({ costCents }) => { told.push(costCents); resolve(); },
  }).ready.then(() => publishCastCompleted('cast_1', 'user_1', new Date(), 1000, 25));
});
await ended;
const late = await publishCastStarted('cast_1', 'user_1', new Date()).catch((error: unknown) => error);
if (!(late instanceof PublishError)) throw new Error('this should have been refused');
told.push(late.code);
client.close();
console.log(JSON.stringify(told));
`;

const PAGE = `
import { createClient, type Event, type Status, TidingsError } from '@tidings/client';
import { followCast, type CastStatus } from '@tidings/client/casts';
import { debug } from '@tidings/client/debug';
import { eventsource } from '@tidings/client/eventsource';
import { poll } from '@tidings/client/poll';
import { sse } from '@tidings/client/sse';
import { websocket } from '@tidings/client/websocket';

const client = createClient({ url: 'https://live.example', transports: [sse, websocket, eventsource, poll, 'sse'], trace: debug('*') });
client.subscribe<number>('a', (event: Event<number>) => { const n: number = event.data; void n; });
// @ts-expect-error: data is a number
client.subscribe<number>('a', ({ data }) => { const text: string = data; void text; });
const status: Status['state'] = client.status.state;
followCast(client, 'c', { onStatus: (frame) => { const is: CastStatus = frame.status; void is; } });
export { status, TidingsError };
`;

const NODE = `
import { createPublisher, type Draft, PublishError } from '@tidings/publisher';

const draft: Draft = { channel: 'a', type: 't', data: null };
// @ts-expect-error: a draft has a type
const wrong: Draft = { channel: 'a', data: null };
createPublisher().publish(draft).catch((error: unknown) => error instanceof PublishError && error.code);
export { wrong };
`;

const REACT = `
import { useCastEvents, useChannel } from '@tidings/react';

export function Cast({ castId }: { readonly castId: string }) {
  const { lastEvent, isConnected } = useCastEvents({ castId });
  useChannel('a', (event) => { const id: string = event.id; void id; });
  return <p>{lastEvent?.status} {String(isConnected)}</p>;
}
`;

let tarballs: Tarballs;
let project: Project;
let server: Server;

beforeAll(async () => {
  tarballs = await Tarballs.pack();
  const types = ['@types/node', '@types/react', 'react'].map(async (name) => [name, await versionOf(name)] as const);
  project = await Project.make({
    'package.json': JSON.stringify({
      ...{ name: 'fresh', private: true, type: 'module' },
      dependencies: { ...Object.fromEntries(await Promise.all(types)), ...tarballs.dependencies(...NAMES) },
    }),
  });
  await project.write({ 'page.mts': PAGE, 'cast.tsx': REACT, 'node.mts': NODE, 'program.mts': PROGRAM });
  server = await Server.start();
});
afterAll(async () => {
  await project?.remove();
  await server?.stop();
  await tarballs?.remove();
});

const tsc = new URL('../../node_modules/typescript/bin/tsc', import.meta.url).pathname;

describe.each([
  // The declarations themselves are checked once, in a project that has everything.
  { resolution: 'nodenext', module: 'nodenext', types: ['node'], lib: ['es2023'], skipLibCheck: false },
  { resolution: 'node16', module: 'node16', types: ['node'], lib: ['es2023', 'dom'], skipLibCheck: true },
  { resolution: 'bundler', module: 'esnext', types: [], lib: ['es2023', 'dom'], skipLibCheck: true },
])('types, resolved as $resolution', ({ resolution, module, types, lib, skipLibCheck }) => {
  test('are found and hold', async () => {
    const compilerOptions = {
      ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
      ...{ target: 'es2022', lib, jsx: 'react-jsx', outDir: 'out', noEmit: types.length === 0 },
      ...{ module, moduleResolution: resolution, types, skipLibCheck, skipDefaultLibCheck: true },
    };
    // What Node programs use needs its types.
    const files = ['page.mts', 'cast.tsx', ...(types.length === 0 ? [] : ['node.mts', 'program.mts'])];
    await project.write({ 'tsconfig.json': JSON.stringify({ compilerOptions, files }) });
    await project.node([tsc, '-p', '.']);
  });
});

test('a program publishes, and follows by server-sent events', async () => {
  const { key } = await server.key();
  const said = await project.node(['out/program.mjs'], { TIDINGS_URL: server.url, TIDINGS_API_KEY: key });
  expect(JSON.parse(said)).toEqual(['sse', 1, 2, 'initially running', 'succeeded', 25, 'illegal_transition']);
});

test('a CommonJS program of Node may require them', async () => {
  const require = "import('@tidings/client').then(({ createClient }) => console.log(typeof createClient))";
  await project.write({ 'program.cjs': require });
  expect(await project.node(['program.cjs'])).toBe('function\n');
});

test('nothing comes with them but what they name', async () => {
  const names = Object.fromEntries(
    await Promise.all(
      NAMES.map(async (name) => {
        const text = await readFile(`${project.folder}/node_modules/@tidings/${name}/package.json`, 'utf8');
        return [name, Object.keys((JSON.parse(text) as { dependencies?: object }).dependencies ?? {})];
      }),
    ),
  );
  expect(names).toEqual({ client: ['eventsource-parser'], react: ['@tidings/client'], publisher: [] });
});

describe.each(NAMES)('the tarball of %s', (name) => {
  const packed = (): Packed => tarballs.packed[name];

  test('has what it says and nothing else', () => {
    const { paths } = packed();
    for (const needed of [
      'package.json',
      'README.md',
      'LICENSE-MIT',
      'LICENSE-APACHE',
      'dist/index.js',
      'src/index.ts',
    ]) {
      expect(paths).toContain(needed);
    }
    expect(paths.filter((path) => !/^(dist|src)\/|^(package\.json|README\.md|LICENSE-\w+)$/.test(path))).toEqual([]);
  });

  test('has the sources that its maps lead to', async () => {
    const maps = packed().paths.filter((path) => path.endsWith('.map'));
    expect(maps.length).toBeGreaterThan(1);
    for (const map of maps) {
      const text = await readFile(`${project.folder}/node_modules/@tidings/${name}/${map}`, 'utf8');
      const { sources, sourceRoot = '' } = JSON.parse(text) as { sources: string[]; sourceRoot?: string };
      for (const source of sources) {
        expect(packed().paths, map).toContain(posix.join(posix.dirname(map), sourceRoot, source));
      }
    }
  });
});
