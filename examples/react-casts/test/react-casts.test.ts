// The page in Chromium, built, against the real server, while three programs tell of casts of their own.
// TIDINGS_BIN and AXUM_CASTS_BIN name the binaries, CHROMIUM the browser.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Server, surroundings, type User } from '@tidings/testkit';
import { type Browser, chromium, type Page } from 'playwright-core';
import { build, type PreviewServer, preview } from 'vite';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import * as route from '../../next-handler/app/api/casts/[id]/route.ts';
import { serve } from '../../next-handler/src/serve.ts';

const folder = new URL('../', import.meta.url).pathname;
const examples = new URL('../../', import.meta.url).pathname;

let server: Server;
let user: User;
let key: string;
let directory: string;
let site: PreviewServer;
let browser: Browser;
let page: Page;
const programs: ChildProcess[] = [];

beforeAll(async () => {
  server = await Server.start();
  user = await server.user('--role', 'admin');
  key = (await server.key(['publish:cast:*', 'subscribe:*'])).key;
  directory = await mkdtemp(join(tmpdir(), 'tidings-react-casts-'));
  vi.stubEnv('TIDINGS_URL', server.url);
  vi.stubEnv('TIDINGS_API_KEY', key);
  const outDir = join(directory, 'dist');
  await build({ root: folder, logLevel: 'silent', build: { outDir, emptyOutDir: true } });
  site = await preview({ root: folder, logLevel: 'silent', build: { outDir }, preview: { port: 0 } });
  const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-background-networking'] });
}, 120_000);
afterAll(async () => {
  await browser?.close();
  await site?.close();
  for (const program of programs) program.kill();
  vi.unstubAllEnvs();
  await server?.stop();
  if (directory) await rm(directory, { recursive: true, force: true });
});

beforeEach(async () => {
  page = await (await browser.newContext()).newPage();
  await page.goto(`http://127.0.0.1:${(site.httpServer.address() as AddressInfo).port}/`);
  await page.getByLabel('Email').fill(user.email);
  await page.getByLabel('Password').fill(user.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('status').getByText('live').waitFor();
});
afterEach(() => page.context().close());

/** Starts a program that prints its address; answers it. */
async function start(name: string, command: string, args: readonly string[], cwd: string): Promise<string> {
  const file = join(directory, `${name}.json`);
  const own = { TIDINGS_URL: server.url, TIDINGS_API_KEY: key, PORT: '0', CASTS_FILE: file };
  const env = { ...surroundings(), ...own };
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'inherit'] });
  programs.push(child);
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return line.split(' ')[0] ?? '';
}

async function post(url: string, body: object = {}): Promise<{ readonly id: string }> {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  expect(response.ok, `${url}: ${response.status}`).toBe(true);
  return (await response.json()) as { readonly id: string };
}

const badge = (status: string) => page.locator(`.badge[data-status=${status}]`).waitFor();

/** What the two programs with casts of their own do alike. */
async function followed(program: string): Promise<void> {
  const { id } = await post(`${program}/casts`, { userId: user.id, spell: 'hello' });
  // It comes to the list by itself.
  const item = page.locator('.casts li', { hasText: id });
  await item.getByText('queued').waitFor();
  await post(`${program}/casts/${id}/start`);
  await item.getByText('running').waitFor();
  await item.getByRole('link').click();
  await badge('running');
  await post(`${program}/casts/${id}/progress`, { progress: 40, message: 'two fifths' });
  await page.getByText('40 %: two fifths').waitFor();
  expect(await page.locator('progress').getAttribute('value')).toBe('40');
  await server.crash();
  await post(`${program}/casts/${id}/complete`, { costCents: 250, artifactUrl: 'https://x.test/a' });
  await badge('succeeded');
  await page.getByText('What it made').waitFor();
  await page.getByText('at its end').waitFor();
  expect(await page.locator('.lines li').allTextContents()).toContainEqual(expect.stringMatching(/^Done/));
}

test('a page follows casts of the Express program', async () => {
  const program = await start(
    'express',
    process.execPath,
    ['--import', 'tsx', 'src/main.ts'],
    `${examples}express-casts`,
  );
  await followed(program);
});

test('a page follows casts of the axum program', async () => {
  const binary = process.env['AXUM_CASTS_BIN'];
  if (!binary) throw new Error('set AXUM_CASTS_BIN to the path of the binary `axum-casts`');
  await followed(await start('axum', binary, [], directory));
});

test('a page follows the cast of the Next.js-style handler', async () => {
  const app = serve({ GET: route.GET, PATCH: route.PATCH }).listen(0, '127.0.0.1');
  await once(app, 'listening');
  const url = `http://127.0.0.1:${(app.address() as AddressInfo).port}/api/casts/cast_1`;
  const patch = async (status: string) => {
    expect((await fetch(url, { method: 'PATCH', body: JSON.stringify({ status }) })).status).toBe(200);
  };
  // Nobody has told of it yet.
  await page.evaluate("location.hash = '#/cast_1'");
  await page.getByRole('alert').waitFor();
  await patch('running');
  await page.getByRole('button', { name: 'Try again' }).click();
  await badge('running');
  await patch('failed');
  await badge('failed');
  app.close();
});

test('a wrong password is told, and whoever signs out follows nothing', async () => {
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('Email').fill(user.email);
  await page.getByLabel('Password').fill('a wrong one');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').waitFor();
  expect(await page.locator('.casts').count()).toBe(0);
});

test('the next user at the page sees nothing of the one before, nor is asked to sign in while the server is away', async () => {
  const other = await server.user('--role', 'member');
  const data = { progress: 40, message: 'a secret' };
  const told = await fetch(`${server.url}/api/casts/secret_1/events`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify({ type: 'PROGRESS_UPDATE', userId: user.id, data }),
  });
  expect(told.status).toBe(200);
  await page.locator('.casts').getByText('secret_1').click();
  await page.getByText('a secret').waitFor();
  // Signed out in another tab: the page is told by the server.
  const tab = await page.context().newPage();
  await tab.goto(page.url().replace(/#.*/, ''));
  await tab.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('Email').waitFor();
  await page.getByLabel('Email').fill(other.email);
  await page.getByLabel('Password').fill(other.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('alert').waitFor();
  expect(await page.locator('body').innerText()).not.toContain('a secret');
  await page.getByRole('link', { name: 'Casts' }).click();
  await page.getByText('No casts yet').waitFor();
  await server.kill();
  await tab.reload();
  await tab.getByText('The server does not answer').waitFor();
  await server.restart();
  await tab.getByText('No casts yet').waitFor();
});
