// What the pages' snippets must show and do while a cast lives.

import { expect } from 'vitest';
import { figures, until } from '../../support/figures.ts';
import type { Opened } from '../support/chromium.ts';
import type { Rig, Variant } from '../support/rig.ts';
import type { Snippet } from '../table.ts';

/** Tries a snippet; throws where it does not what it should. */
export type Scenario = (rig: Rig, variant: Variant, snippet: Snippet) => Promise<void>;

async function toasts(opened: Opened, count: number): Promise<string[]> {
  return until(
    `${count} toasts`,
    async () => (await opened.told()).toasts,
    (seen) => seen.length >= count,
  );
}

/** The arguments that one of the snippet's functions was called with. */
async function calls(opened: Opened, name: string): Promise<unknown[]> {
  return (await opened.told()).calls.filter(([called]) => called === name).map(([, argument]) => argument);
}

const basicUsage: Scenario = async (rig, variant, snippet) => {
  const castId = await rig.cast();
  const { opened: before } = await figures(rig.server);
  const opened = await rig.open(snippet, variant, { castId });
  await opened.sees('.badge', 'queued');
  await opened.sees('.wifi', 'connected');
  await rig.streams(1);

  await rig.started(castId);
  await opened.sees('.badge', 'running');
  expect((await opened.told()).toasts).toEqual([]);
  await rig.completed(castId);
  await opened.sees('.badge', 'succeeded');
  await opened.misses('.wifi');
  expect(await toasts(opened, 1)).toEqual(['success: Cast completed!']);
  expect(opened.said('log: New status: ')).toEqual(['queued', 'running', 'succeeded']);
  await rig.streams(0);
  // One connection, though everything is mounted twice, and none after the end.
  expect((await figures(rig.server)).opened - before).toBe(1);

  // Who comes later sees how it ended, and is not notified of it again.
  await opened.page.reload();
  await opened.sees('.badge', 'succeeded');
  await opened.misses('.wifi');
  await rig.streams(0);
  expect((await opened.told()).toasts).toEqual([]);
  expect(opened.errors).toEqual([]);
};

const allHandlers: Scenario = async (rig, variant, snippet) => {
  // The snippet names its cast.
  const castId = await rig.cast(variant === 'loose' ? 'cast_123' : undefined);
  const opened = await rig.open(snippet, variant, { castId });
  const shows = (status: string, isConnected: boolean) =>
    until(
      `${status}, ${isConnected}`,
      () => opened.shown(),
      ({ isConnected: is, lastEvent }) =>
        is === isConnected && (lastEvent as { status?: string } | null)?.status === status,
    );
  expect(await shows('queued', true)).toMatchObject({ error: null });
  await rig.streams(1);
  await rig.started(castId);
  await rig.tell.publishCastProgress(castId, rig.user.id, 40, 'half of it');
  expect(await toasts(opened, 1)).toEqual(['info: half of it']);
  await shows('running', true);
  if (variant === 'loose') expect(await calls(opened, 'setCast')).toEqual(['queued', 'running']);
  // How far it was when the page was opened is known, and no news.
  await opened.page.reload();
  expect(await shows('running', true)).toMatchObject({ lastEvent: { progress: 40, message: 'half of it' } });
  await rig.completed(castId);
  const last = await shows('succeeded', false);
  expect(last).toMatchObject({
    error: null,
    lastEvent: { type: 'complete', castId, costCents: 250, duration: 180_000 },
  });
  expect(Date.parse(String(last['lastUpdate']))).toBeGreaterThan(Date.now() - 60_000);
  expect(await toasts(opened, 1)).toEqual(['success: Execution completed!']);
  if (variant === 'loose') {
    expect(await calls(opened, 'setCast')).toEqual(['running', 'succeeded', 'succeeded']);
    expect(await calls(opened, 'setProgress')).toEqual([40]);
    expect(await calls(opened, 'setIsLive')).toEqual([true, false]);
  } else {
    expect(last).toMatchObject({ status: 'succeeded', progress: 40, isLive: false });
  }
  await opened.page.reload();
  await shows('succeeded', false);
  await rig.streams(0);
  expect((await opened.told()).toasts).toEqual([]);
  expect(opened.errors).toEqual([]);

  await failure(rig, variant, snippet);
};

async function failure(first: Rig, variant: Variant, snippet: Snippet): Promise<void> {
  const rig = await first.fresh();
  try {
    const castId = await rig.cast('cast_123');
    const opened = await rig.open(snippet, variant, { castId });
    const status = async () => ((await opened.shown())['lastEvent'] as { status?: string } | null)?.status;
    await until('queued', status, (seen) => seen === 'queued');
    await rig.failed(castId);
    expect(await toasts(opened, 1)).toEqual(['error: out of memory']);
    await until('failed', status, (seen) => seen === 'failed');
    expect(await opened.shown()).toMatchObject({ isConnected: false, error: null });
    if (variant === 'loose') expect(await calls(opened, 'setCast')).toEqual(['queued', 'failed', 'failed']);
    await opened.page.reload();
    await until('failed', status, (seen) => seen === 'failed');
    await rig.streams(0);
    expect((await opened.told()).toasts).toEqual([]);
  } finally {
    await rig.stop();
  }
}

const statusOnly: Scenario = async (rig, variant, snippet) => {
  const castId = await rig.cast();
  const opened = await rig.open(snippet, variant, { castId });
  await opened.sees('span', 'queued');
  await opened.sees('span', '🟢 Live');
  await rig.streams(1);
  await rig.started(castId);
  await opened.sees('span', 'running');
  // As a user cancels it.
  const { status } = await opened.page.request.post(`/api/casts/${castId}/cancel`).then((answer) => answer.json());
  expect(status).toBe('cancelled');
  await opened.sees('span', 'cancelled');
  await opened.misses('span:nth-of-type(2)');
  await rig.streams(0);
  expect(opened.errors).toEqual([]);
};

const polling: Scenario = async (rig, variant, snippet) => {
  const castId = await rig.cast();
  const opened = await rig.open(snippet, variant, { castId });
  const asked = () => opened.requests.filter((request) => request === `GET /api/casts/${castId}`).length;
  await opened.sees('#root > div', 'queued');
  await rig.started(castId);
  await opened.sees('#root > div', 'running');
  await rig.completed(castId);
  await opened.sees('#root > div', 'succeeded');
  const lines = opened.said('log: Cast updated via polling: ');
  expect(lines.length).toBeGreaterThanOrEqual(3);
  expect(lines.at(-1)).toContain(castId);
  // It ends with the cast, and has needed no stream.
  const before = asked();
  await new Promise((resolve) => setTimeout(resolve, 6_000));
  expect(asked()).toBe(before);
  await rig.streams(0);
  expect(opened.errors).toEqual([]);
};

const unitTesting: Scenario = async (rig, variant, snippet) => {
  await rig.started('test-123');
  const name = variant === 'loose' ? 'connects to SSE stream' : 'follows a cast as long as it is mounted';
  const opened = await rig.open(snippet, variant, {});
  await opened.call(name);
  expect((await opened.told()).tests).toEqual({ [name]: null });
  await rig.streams(variant === 'loose' ? 1 : 0);
  expect(opened.errors).toEqual([]);
};

const summarySubscribing: Scenario = async (rig, variant, snippet) => {
  const castId = await rig.cast();
  const opened = await rig.open(snippet, variant, { castId });
  const shows = (status: string) =>
    until(
      status,
      () => opened.shown(),
      (seen) => (seen['lastEvent'] as { status?: string } | null)?.status === status,
    );
  await shows('queued');
  await rig.streams(1);
  await rig.started(castId);
  await shows('running');
  await rig.completed(castId);
  expect(await shows('succeeded')).toMatchObject({ isConnected: false });
  expect(await toasts(opened, 1)).toEqual(['success: Completed!']);
  expect(opened.said('log: Status: ')).toEqual(['queued', 'running', 'succeeded']);
  await rig.streams(0);
  await opened.page.reload();
  await shows('succeeded');
  expect((await opened.told()).toasts).toEqual([]);
  expect(opened.errors).toEqual([]);
};

export const PAGES: Readonly<Record<string, Scenario>> = {
  'basic-usage.tsx': basicUsage,
  'all-handlers.tsx': allHandlers,
  'status-only.tsx': statusOnly,
  'polling.tsx': polling,
  'unit-testing.ts': unitTesting,
  'summary-subscribing.tsx': summarySubscribing,
};
