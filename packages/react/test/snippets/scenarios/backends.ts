// What the backend's snippets must do to a page that follows their casts.

import { expect } from 'vitest';
import { until } from '../../support/figures.ts';
import type { Opened } from '../support/chromium.ts';
import type { Rig } from '../support/rig.ts';
import type { Scenario } from './pages.ts';

const DETAIL = { file: 'all-handlers.tsx' };
const STATUSES = { file: 'basic-usage.tsx' };

/** A page that follows a cast, once it does. */
async function watch(rig: Rig, castId: string): Promise<Opened> {
  const opened = await rig.open(DETAIL, 'strict', { castId });
  await until(
    'a page that follows',
    () => opened.shown(),
    ({ isConnected }) => isConnected === true,
  );
  return opened;
}

async function ends(opened: Opened, status: string, toast: string): Promise<Record<string, unknown>> {
  const seen = await until(
    `a page that shows ${status}`,
    () => opened.shown(),
    (now) => now['status'] === status,
  );
  expect(seen).toMatchObject({ isConnected: false, error: null });
  expect((await opened.told()).toasts).toEqual([toast]);
  expect(opened.errors).toEqual([]);
  return seen;
}

const publishFromRoutes: Scenario = async (rig, variant, snippet) => {
  // What ends well and what fails are two casts.
  const castIds = [await rig.cast(), await rig.cast()] as const;
  const [well, badly] = [await watch(rig, castIds[0]), await watch(rig, castIds[1])];
  expect(await rig.run(snippet, variant, { castIds })).toEqual({ code: 0, errors: '' });
  const lastEvent = { costCents: 250, artifactUrl: 'https://files.example/1.zip' };
  expect(await ends(well, 'succeeded', 'success: Execution completed!')).toMatchObject({ lastEvent });
  await ends(badly, 'failed', 'error: out of memory');
  const types = (await rig.server.history(rig.key.key, `cast:${castIds[0]}`)).map(({ type }) => type);
  expect(types).toEqual(['STATUS_CHANGED', 'STATUS_CHANGED', 'STARTED', 'COMPLETED']);

  if (variant === 'strict') return;
  // With one for both the last line is refused, and says so: a cast ends once.
  const one = await rig.cast();
  const page = await watch(rig, one);
  const { code, errors } = await rig.run(snippet, variant, { castIds: [one] });
  expect(code).toBe(1);
  expect(errors).toContain('illegal_transition');
  await ends(page, 'succeeded', 'success: Execution completed!');
};

const publishFromWebhooks: Scenario = async (rig, variant, snippet) => {
  const castIds = [await rig.cast(), await rig.cast()] as const;
  for (const [at, isSuccess] of [true, false].entries()) {
    const castId = castIds[at] ?? '';
    const page = await watch(rig, castId);
    const facts = { castIds: [castId], isSuccess };
    expect(await rig.run(snippet, variant, { ...facts, action: 'in_progress' })).toEqual({ code: 0, errors: '' });
    await until(
      'a page that shows running',
      () => page.shown(),
      ({ status }) => status === 'running',
    );
    expect(await rig.run(snippet, variant, { ...facts, action: 'completed' })).toEqual({ code: 0, errors: '' });
    if (isSuccess) await ends(page, 'succeeded', 'success: Execution completed!');
    else await ends(page, 'failed', `error: ${variant === 'loose' ? 'out of memory' : 'the run ended as failure'}`);
  }
};

const publishManually: Scenario = async (rig, variant, snippet) => {
  const castId = await rig.cast();
  await rig.started(castId);
  const page = await watch(rig, castId);
  const statuses = await rig.open(STATUSES, 'strict', { castId });
  await statuses.sees('.badge', 'running');
  await statuses.sees('.wifi', 'connected');
  expect(await rig.run(snippet, variant, { castIds: [castId] })).toEqual({ code: 0, errors: '' });
  await until(
    'a page that shows 40',
    () => page.shown(),
    ({ progress }) => progress === 40,
  );
  // The state as it is, told again.
  await until(
    'told again',
    () => statuses.said('log: New status: '),
    (seen) => seen.join() === 'running,running',
  );
  const types = (await rig.server.history(rig.key.key, `cast:${castId}`)).map(({ type }) => type);
  // The whole row has the progress too.
  const again = variant === 'loose' ? ['STATUS_CHANGED'] : ['STATUS_CHANGED', 'PROGRESS_UPDATE'];
  expect(types).toEqual(['STATUS_CHANGED', 'STARTED', 'PROGRESS_UPDATE', ...again]);
};

const summaryPublishing: Scenario = async (rig, variant, snippet) => {
  const castId = await rig.cast();
  const page = await watch(rig, castId);
  expect(await rig.run(snippet, variant, { castIds: [castId] })).toEqual({ code: 0, errors: '' });
  expect(await ends(page, 'succeeded', 'success: Execution completed!')).toMatchObject({
    lastEvent: { costCents: 250 },
  });
  const types = (await rig.server.history(rig.key.key, `cast:${castId}`)).map(({ type }) => type);
  expect(types).toEqual(['STATUS_CHANGED', 'STARTED', 'COMPLETED']);
};

export const BACKENDS: Readonly<Record<string, Scenario>> = {
  'publish-from-routes.ts': publishFromRoutes,
  'publish-from-webhooks.ts': publishFromWebhooks,
  'publish-manually.ts': publishManually,
  'summary-publishing.ts': summaryPublishing,
};
