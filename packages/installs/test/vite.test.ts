// A fresh Vite app that installs the tarballs: its build and its dev server show a live cast in Chromium, wherever the
// bundler's environment says that the server is.

import { Server, type User } from '@tidings/testkit';
import type { Browser, BrowserContext } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Tarballs, versionOf } from './support/packages.ts';
import { Project } from './support/project.ts';
import { Files, freePort, startChromium, until } from './support/web.ts';

const MAIN = `
import { createClient } from '@tidings/client';
import { type Cast, followCast } from '@tidings/client/casts';
import { useCastEvents, useChannel } from '@tidings/react';
import { StrictMode, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';

const CAST = new URLSearchParams(location.search).get('cast') ?? '';

function Hooks() {
  const [notes, setNotes] = useState<unknown[]>([]);
  const { lastEvent } = useCastEvents({ castId: CAST });
  useChannel('shared:notes', (event) => setNotes((before) => [...before, event.data]));
  return <p id="hooks">{lastEvent?.status} {lastEvent?.progress} {notes.join()}</p>;
}

function Followed() {
  const [cast, setCast] = useState<Cast | null>(null);
  useEffect(() => {
    const client = createClient();
    followCast(client, CAST, { onCast: setCast });
    return () => client.close();
  }, []);
  return <p id="followed">{cast?.status} {cast?.progress}</p>;
}

createRoot(document.getElementById('root')!).render(<StrictMode><Hooks /><Followed /></StrictMode>);
`;

const CONFIG = `
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vite';

const socket = process.env.TRIAL_SOCKET;
export default defineConfig({
  plugins: [react()],
  envPrefix: ['VITE_', 'PUBLIC_'],
  define: socket === undefined ? {} : { 'process.env.REACT_APP_WEBSOCKET_URL': JSON.stringify(socket) },
  cacheDir: process.env.TRIAL_CACHE,
  build: { outDir: process.env.TRIAL_OUT },
});
`;

const PAGE = `<!doctype html><title>Fresh</title><link rel="icon" href="data:,">
<div id="root"></div><script type="module" src="/src/main.tsx"></script>`;

let tarballs: Tarballs;
let project: Project;
let server: Server;
let key: string;
let user: User;
let chromium: Browser;
let context: BrowserContext;
let files: Files;
let devPorts: readonly number[];
let filesPort: number;

beforeAll(async () => {
  tarballs = await Tarballs.pack();
  const version = Object.fromEntries(
    await Promise.all(
      ['vite', '@vitejs/plugin-react', 'react', 'react-dom', '@types/react', '@types/react-dom'].map(
        async (name) => [name, await versionOf(name)] as const,
      ),
    ),
  );
  project = await Project.make({
    'package.json': JSON.stringify({
      ...{ name: 'fresh', private: true, type: 'module' },
      dependencies: { ...version, ...tarballs.dependencies('client', 'react') },
    }),
    'index.html': PAGE,
    'src/main.tsx': MAIN,
    'vite.config.js': CONFIG,
  });
  ({ files, port: filesPort } = await Files.start());
  devPorts = [await freePort(), await freePort()];
  const origins = [filesPort, ...devPorts].map((port) => `"http://127.0.0.1:${port}"`);
  server = await Server.start(`cors.origins = [${origins}]\nauth.user_grants = ["subscribe:shared:*"]\n`);
  key = (await server.key()).key;
  user = await server.user();
  chromium = await startChromium();
  context = await chromium.newContext();
  const page = await context.newPage();
  await page.goto(`${server.url}/healthz`);
  const body = JSON.stringify({ email: user.email, password: user.password });
  const signIn = `fetch('/auth/login', { method: 'POST', body: ${JSON.stringify(body)} }).then(({ status }) => status)`;
  expect(await page.evaluate(signIn)).toBe(200);
  await page.close();
});
afterAll(async () => {
  await chromium?.close();
  files?.stop();
  await project?.remove();
  await server?.stop();
  await tarballs?.remove();
});

async function post(path: string, body: object): Promise<void> {
  const headers = { authorization: `Bearer ${key}` };
  const answer = await fetch(server.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
}

/** Opens the app, and sees that what happens to a cast and on a channel is on the page. */
async function showsLiveCast(origin: string, cast: string): Promise<void> {
  await post(`/api/casts/${cast}/events`, { type: 'STARTED', userId: user.id, data: { startedAt: new Date() } });
  const page = await context.newPage();
  const said: string[] = [];
  page.on('console', (message) => said.push(message.text()));
  page.on('pageerror', (error) => said.push(String(error)));
  const shows = async (text: string) =>
    until(
      () => `${text} (${said.join(' | ')})`,
      async () => (await page.textContent('#root').catch(() => ''))?.includes(text) === true,
    );
  await page.goto(`${origin}/?cast=${cast}`);
  await shows('running');
  // The channel is followed from now on; the cast from its state on.
  await until(
    () => `a note (${said.join(' | ')})`,
    async () => {
      await post('/v1/publish', { channel: 'shared:notes', type: 'note', data: 'noted' });
      return (await page.textContent('#hooks'))?.includes('noted') === true;
    },
  );
  await post(`/api/casts/${cast}/events`, { type: 'PROGRESS_UPDATE', data: { progress: 42 } });
  for (const place of ['#hooks', '#followed']) {
    await until(
      () => `progress in ${place} (${said.join(' | ')})`,
      async () => (await page.textContent(place))?.startsWith('running 42') === true,
    );
  }
  expect(said.filter((text) => /error|warning|failed/i.test(text))).toEqual([]);
  await page.close();
}

const address = () => ({ PUBLIC_SERVER_URL: server.url, PUBLIC_SERVER_API_PATH: '/api' });
const socket = () => ({ TRIAL_SOCKET: `${server.url.replace('http', 'ws')}/ws` });
const vite = 'node_modules/vite/bin/vite.js';

/** Keeps what is said on the console, with all that a developer could look into. */
const RECORD = `
window.said = [];
for (const name of ['debug', 'log', 'info', 'warn', 'error']) {
  console[name] = (...words) => {
    window.said.push(words.map((word) => (typeof word === 'string' ? word : JSON.stringify(word))).join(' '));
  };
}`;

/** What the app that was built last says on the console, with all that it shows there, and which files it loads. */
async function visit(cast: string, debug: string | null): Promise<{ said: string[]; loaded: string[] }> {
  const page = await context.newPage();
  await page.addInitScript(RECORD);
  if (debug !== null) await page.addInitScript(`localStorage.setItem('debug', ${JSON.stringify(debug)})`);
  const loaded: string[] = [];
  page.on('request', (request) => loaded.push(request.url()));
  await page.goto(`http://127.0.0.1:${filesPort}/?cast=${cast}`);
  // Both have read the cast: what happens from here on comes to each as an event.
  for (const place of ['#hooks', '#followed']) {
    await until(
      () => `the cast in ${place}`,
      async () => (await page.textContent(place).catch(() => null))?.startsWith('running') === true,
    );
  }
  await post(`/api/casts/${cast}/events`, { type: 'PROGRESS_UPDATE', data: { progress: 7 } });
  for (const place of ['#hooks', '#followed']) {
    await until(
      () => `progress in ${place}`,
      async () => (await page.textContent(place))?.startsWith('running 7') === true,
    );
  }
  const said = (await page.evaluate('window.said')) as string[];
  await page.evaluate('localStorage.clear()');
  await page.close();
  return { said, loaded };
}

describe.each([
  { name: 'PUBLIC_SERVER_URL and PUBLIC_SERVER_API_PATH', variables: address, at: 0 },
  { name: 'REACT_APP_WEBSOCKET_URL', variables: socket, at: 1 },
])('with $name', ({ variables, at }) => {
  test('what was built shows a live cast', async () => {
    const out = `built-${at}`;
    await project.node([vite, 'build'], { ...variables(), TRIAL_OUT: out });
    files.folder = `${project.folder}/${out}`;
    await showsLiveCast(`http://127.0.0.1:${filesPort}`, `built_${at}`);
  });

  test('the dev server shows a live cast', async () => {
    const port = devPorts[at] ?? 0;
    const flags = ['--port', `${port}`, '--strictPort', '--host', '127.0.0.1'];
    const dev = project.start([vite, ...flags], { ...variables(), TRIAL_CACHE: `cache-${at}` });
    const origin = `http://127.0.0.1:${port}`;
    await until(
      () => `the dev server: ${dev.said()}`,
      async () => (await fetch(origin).catch(() => undefined))?.ok === true,
    );
    await showsLiveCast(origin, `dev_${at}`);
  });
});

describe('the debug log of what was built', () => {
  const words = ['tidings:want idle → opening', 'tidings:ready opening → live', 'tidings:event live'];

  test('shows each step where localStorage asks for it, of every client, and no credential', async () => {
    await post('/api/casts/logged/events', { type: 'STARTED', userId: user.id, data: { startedAt: new Date() } });
    for (const debug of ['websocket:*', 'tidings:*']) {
      const { said, loaded } = await visit('logged', debug);
      // The page has two clients: its default one, and its own.
      for (const word of words) {
        expect(said.filter((text) => text.startsWith(word)).length, `${debug} ${word}`).toBeGreaterThanOrEqual(2);
      }
      const [cookie] = await context.cookies(server.url);
      expect(cookie?.value.length).toBeGreaterThan(20);
      expect(said.join()).not.toContain(cookie?.value);
      expect(said.join()).not.toMatch(/ticket|bearer|password/i);
      expect(loaded.some((url) => /debug/.test(url))).toBe(true);
    }
  });

  test('is not even loaded where nobody asks', async () => {
    await post('/api/casts/silent/events', { type: 'STARTED', userId: user.id, data: { startedAt: new Date() } });
    for (const debug of [null, 'other:*']) {
      const { said, loaded } = await visit('silent', debug);
      expect(said).toEqual([]);
      expect(loaded.filter((url) => /debug/.test(url))).toEqual([]);
    }
  });
});
