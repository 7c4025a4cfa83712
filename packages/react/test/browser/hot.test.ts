// Hot reloads by Vite's own server, and StrictMode: one connection, nothing lost, nothing told twice, and state kept.

import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server } from '@tidings/testkit';
import react from '@vitejs/plugin-react';
import type { Browser, Page } from 'playwright-core';
import { createServer, type ViteDevServer } from 'vite';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createPublisher } from '../../../publisher/src/index.ts';
import { SOURCES } from '../support/bundle.ts';
import { complaints, launch, signIn } from '../support/chromium.ts';
import { figures, until } from '../support/figures.ts';

const PACKAGES = new URL('../../..', import.meta.url).pathname;

const INDEX =
  '<!doctype html><title>hot</title><link rel="icon" href="data:,"><div id="root"></div><script type="module" src="/main.tsx"></script>';

const MAIN = `
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';

window.hot = { told: [], initial: [], loads: (window.hot?.loads ?? 0) + 1 };
window.begin = (url) => createRoot(document.getElementById('root')).render(<StrictMode><App url={url} /></StrictMode>);
`;

/**
 * The app, as its author saves it again and again, its provider along with it; with `isOther` the hooks of a component
 * are others, so that it is mounted anew.
 */
const app = (version: number, isOther: boolean) => `
import { TidingsProvider, useCastEvents, useChannel } from '@tidings/react';
import { useState } from 'react';

function Page() {
  const [clicks, setClicks] = useState(0);
  ${isOther ? `const [other] = useState('other ${version}');` : ''}
  const { lastEvent, isReady } = useChannel('hot:numbers', {
    onEvent: ({ data }) => window.hot.told.push([data.n, ${version}]),
    onGap: ({ reason }) => window.hot.told.push([reason, ${version}]),
  });
  const cast = useCastEvents(
    { castId: 'hot-cast' },
    { onStatus: ({ status }, { isInitial }) => window.hot.initial.push([status, isInitial, ${version}]) },
  );
  return (
    <main>
      <h1 id="version">${version}${isOther ? ' {other}' : ''}</h1>
      <button id="click" onClick={() => setClicks((now) => now + 1)}>{clicks}</button>
      <p id="last">{lastEvent?.data.n}</p>
      <p id="ready">{String(isReady && cast.isConnected)}</p>
    </main>
  );
}

export function App({ url }) {
  return (
    <TidingsProvider url={url} credentials="include">
      <p id="app">${version}</p>
      <Page />
    </TidingsProvider>
  );
}
`;

const VERSIONS = 20;
/** The last ones change the component's hooks. */
const OTHERS = 5;

let server: Server;
let vite: ViteDevServer;
let folder: string;
let browser: Browser;
let origin: string;
beforeAll(async () => {
  // A package beside which Node finds what the packages have.
  folder = await mkdtemp(join(tmpdir(), 'tidings-hot-'));
  await symlink(join(PACKAGES, 'node_modules'), join(folder, 'node_modules'));
  await mkdir(join(folder, 'cache'));
  vite = await createServer({
    root: folder,
    configFile: false,
    logLevel: 'warn',
    cacheDir: join(folder, 'cache'),
    plugins: [react()],
    // The packages stay as they are: the page's own files alone are rewritten.
    server: { host: '127.0.0.1', port: 0, fs: { allow: [folder, PACKAGES] }, watch: { ignored: [`${PACKAGES}**`] } },
    resolve: { alias: { ...SOURCES }, dedupe: ['react', 'react-dom'] },
    optimizeDeps: { include: ['react', 'react-dom/client', 'react/jsx-dev-runtime', 'eventsource-parser/stream'] },
  });
  await vite.listen();
  origin = `http://127.0.0.1:${new URL(vite.resolvedUrls?.local[0] ?? '').port}`;
  server = await Server.start(`cors.origins = ["${origin}"]\nauth.user_grants = ["subscribe:hot:*"]\n`);
  await writeFile(join(folder, 'index.html'), INDEX);
  await writeFile(join(folder, 'main.tsx'), MAIN);
  await writeFile(join(folder, 'app.tsx'), app(0, false));
  browser = await launch();
}, 60_000);
afterAll(async () => {
  await browser?.close();
  await server?.stop();
  await vite?.close();
  if (folder !== undefined) await rm(folder, { recursive: true, force: true });
});

const text = (page: Page, id: string) => page.evaluate(`document.getElementById('${id}')?.textContent`);

test(`${VERSIONS} hot reloads under StrictMode`, { timeout: 120_000 }, async () => {
  const { key } = await server.key();
  const publisher = createPublisher({ url: server.url, apiKey: key });
  const user = await server.user();
  await publisher.tellCast('hot-cast', { type: 'STARTED', data: {}, userId: user.id });

  const page = await (await browser.newContext()).newPage();
  const wrong = complaints(page);
  await page.goto(origin);
  await page.waitForFunction('window.begin !== undefined');
  await signIn(page, server.url, user);
  await page.evaluate(`window.begin('${server.url}')`);
  await until(
    'ready',
    () => text(page, 'ready'),
    (now) => now === 'true',
  );
  expect(await figures(server)).toEqual({ streams: 1, opened: 1 });

  let [isOver, sent] = [false, 0];
  const publishing = (async () => {
    while (!isOver) {
      sent += 1;
      await publisher.publish({ channel: 'hot:numbers', type: 'numbered', data: { n: sent } });
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();

  let clicks = 0;
  for (let version = 1; version <= VERSIONS; version += 1) {
    await page.click('#click');
    clicks += 1;
    await until(
      'the click',
      () => text(page, 'click'),
      (now) => now === String(clicks),
    );
    const isOther = version > VERSIONS - OTHERS;
    // What came with another set of hooks is another component to React: its state begins anew.
    if (isOther && version === VERSIONS - OTHERS + 1) clicks = 0;
    await writeFile(join(folder, 'app.tsx'), app(version, isOther));
    const shown = isOther ? `${version} other ${version}` : String(version);
    await until(
      `version ${version}`,
      () => text(page, 'version'),
      (now) => String(now).startsWith(String(version)),
    );
    if (!isOther) expect(await text(page, 'version')).toBe(shown);
    if (isOther) clicks = Number(await text(page, 'click'));
    else expect(await text(page, 'click')).toBe(String(clicks));
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  isOver = true;
  await publishing;
  await until(
    'all',
    () => text(page, 'last'),
    (now) => now === String(sent),
  );

  expect(await text(page, 'app')).toBe(String(VERSIONS));

  const { told, initial, loads } = (await page.evaluate('window.hot')) as {
    told: [number, number][];
    initial: [string, boolean, number][];
    loads: number;
  };
  const versions = new Set(told.map(([, version]) => version));
  console.log(
    `${told.length} events told through ${VERSIONS} reloads, by ${versions.size} versions; initial states: ${JSON.stringify(initial)}`,
  );
  expect(loads, 'hot reloads, not whole ones').toBe(1);
  expect(told.map(([n]) => n)).toEqual(Array.from({ length: sent }, (_, n) => n + 1));
  // Each event is told to the version that is there.
  expect(told.map(([, version]) => version)).toEqual(told.map(([, version]) => version).sort((a, b) => a - b));
  expect(versions.size).toBeGreaterThan(VERSIONS / 2);
  // Once for each mounting, not for each reload: the first, and those whose hooks have changed.
  const mountings = [0, ...Array.from({ length: OTHERS }, (_, n) => VERSIONS - OTHERS + 1 + n)];
  expect(initial).toEqual(mountings.map((version) => ['running', true, version]));
  expect(await figures(server)).toEqual({ streams: 1, opened: 1 });
  expect(wrong).toEqual([]);
  await page.context().close();
  await publisher.close();
});
