// What the snippets under "Common Patterns" must show and do, and the one for the browser's console.

import type { Route } from 'playwright-core';
import { expect } from 'vitest';
import { until } from '../../support/figures.ts';
import { written } from '../frame.ts';
import { Opened } from '../support/chromium.ts';
import type { Scenario } from './pages.ts';

/** Something that is let through later. */
function gate(): { readonly opened: Promise<void>; open(): void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

const loadingState: Scenario = async (rig, variant, snippet) => {
  const castId = await rig.cast();
  const context = await rig.visitor();
  const held = gate();
  let read = 0;
  await context.route(`**/api/casts/${castId}`, async (route) => {
    const response = await route.fetch();
    read += 1;
    await held.opened;
    await route.fulfill({ response });
  });
  const opened = await rig.open(snippet, variant, { castId }, context);
  await opened.sees('.spinner', 'loading');
  // What happens between the reading of the record and the stream is not lost.
  await until(
    'the record read',
    () => read,
    (times) => times > 0,
  );
  await rig.started(castId);
  held.open();
  await opened.sees('#root > div', 'running');
  await rig.streams(1);
  await rig.failed(castId);
  await opened.sees('#root > div', 'failed');
  await rig.streams(0);
  expect(opened.errors).toEqual([]);
};

const optimisticUpdates: Scenario = async (rig, variant, snippet) => {
  const shown = variant === 'loose' ? '#root > div' : '#root > div > span';
  const opens = async (answer: (route: Route) => Promise<void>) => {
    const castId = await rig.cast();
    await rig.started(castId);
    const context = await rig.visitor();
    await context.route(`**/api/casts/${castId}`, (route) =>
      route.request().method() === 'PATCH' ? answer(route) : route.continue(),
    );
    const opened = await rig.open(snippet, variant, { castId, initialCast: await rig.record(castId) }, context);
    await opened.sees(shown, 'running');
    await rig.streams(1);
    // Not waited for: the function waits for the answer.
    const cancel = () =>
      variant === 'loose'
        ? opened.page.evaluate(() => void window.told.functions['handleCancel']?.())
        : opened.page.click('button');
    return { castId, opened, cancel };
  };

  // It is shown before the server knows of it, then the server's word stands.
  const held = gate();
  const well = await opens(async (route) => {
    await held.opened;
    await route.continue();
  });
  await well.cancel();
  await well.opened.sees(shown, 'cancelled');
  expect((await rig.record(well.castId)).status).toBe('running');
  held.open();
  await until(
    'cancelled',
    () => rig.record(well.castId),
    ({ status }) => status === 'cancelled',
  );
  // The page has heard of the end: it follows no more.
  await rig.streams(0);
  await well.opened.sees(shown, 'cancelled');
  expect(well.opened.errors).toEqual([]);
  await rig.leave();

  // The request does not get through.
  const cut = await opens((route) => route.abort());
  await cut.cancel();
  if (variant === 'strict') {
    await until(
      'a toast',
      async () => (await cut.opened.told()).toasts,
      ([toast]) => toast?.startsWith('error: ') === true,
    );
  }
  await cut.opened.sees(shown, 'running');
  await rig.completed(cut.castId);
  await cut.opened.sees(shown, 'succeeded');
  expect(cut.opened.errors).toEqual([]);
  await rig.leave();

  // It ends before the server is asked, which refuses.
  const late = gate();
  const refused = await opens(async (route) => {
    await late.opened;
    await route.continue();
  });
  await refused.cancel();
  await refused.opened.sees(shown, 'cancelled');
  await rig.completed(refused.castId);
  await refused.opened.sees(shown, 'succeeded');
  late.open();
  if (variant === 'strict') {
    const toasts = await until(
      'a toast',
      async () => (await refused.opened.told()).toasts,
      ({ length }) => length > 0,
    );
    expect(toasts).toEqual(['error: not cancelled: 409']);
  }
  await rig.streams(0);
  await refused.opened.sees(shown, 'succeeded');
  expect(refused.opened.errors).toEqual([]);
};

const multipleCasts: Scenario = async (rig, variant, snippet) => {
  // More than a browser opens connections to one server, and than a user may have streams.
  const castIds = await Promise.all(Array.from({ length: 12 }, () => rig.cast()));
  const opened = await rig.open(snippet, variant, { castIds });
  const rows = (...statuses: string[]) =>
    until(
      statuses.join(', '),
      () => opened.page.locator('.row').allTextContents(),
      (seen) =>
        seen.length === castIds.length && seen.join() === castIds.map((_, at) => statuses[at % statuses.length]).join(),
    );
  await rows('queued');
  await rig.streams(1);
  await Promise.all(castIds.map((id) => rig.started(id)));
  await rows('running');
  await rig.streams(1);
  await Promise.all(castIds.map((id, at) => (at % 2 === 0 ? rig.completed(id) : rig.failed(id))));
  await rows('succeeded', 'failed');
  await rig.streams(0);
  expect(opened.errors).toEqual([]);
};

const eventSource: Scenario = async (rig, variant, snippet) => {
  const castId = await rig.cast(variant === 'loose' ? 'CAST_ID' : undefined);
  const context = await rig.visitor();
  const opened = await Opened.at(context, 'console', { castId });
  const console = await context.newCDPSession(opened.page);
  const type = async (expression: string): Promise<unknown> => {
    const { result, exceptionDetails } = await console.send('Runtime.evaluate', { expression, replMode: true });
    if (exceptionDetails) throw new Error(exceptionDetails.text);
    return result.value;
  };
  if (variant === 'loose') await type(written(snippet));
  else await opened.call('follow');

  const statuses = () => opened.said('log: Status: ').map((line) => /status: (\w+)/.exec(line)?.[1]);
  await until('queued', statuses, (seen) => seen.join() === 'queued');
  await rig.streams(1);
  await rig.started(castId);
  await rig.completed(castId);
  await until(
    'the end',
    () => opened.said('log: Complete: '),
    ({ length }) => length > 0,
  );
  expect(opened.said('log: Complete: ')[0]).toContain('duration: 180000');
  expect(statuses()).toEqual(['queued', 'running', 'succeeded']);
  await rig.streams(0);
  if (variant === 'loose') expect(await type('es.readyState')).toBe(2);
  // It was closed by what it heard: nothing came back, and nothing failed.
  expect(opened.requests.filter((request) => request.endsWith('/events'))).toHaveLength(1);
  expect(opened.said('error: ')).toEqual([]);
};

export const PATTERNS: Readonly<Record<string, Scenario>> = {
  'loading-state.tsx': loadingState,
  'optimistic-updates.tsx': optimisticUpdates,
  'multiple-casts.tsx': multipleCasts,
  'event-source.js': eventSource,
};
