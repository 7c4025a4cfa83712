// Components in a page whose clock a test turns.

import { act, cleanup, render } from '@testing-library/react';
import { TidingsProvider } from '@tidings/react';
import { type ReactNode, StrictMode } from 'react';
import { afterEach, beforeEach, vi } from 'vitest';
import type { FakeClient } from './fake-client.ts';

(globalThis as { IS_REACT_ACT_ENVIRONMENT?: boolean }).IS_REACT_ACT_ENVIRONMENT = true;

/** What React and handlers report; a test that expects something takes it out. */
export const reported: unknown[] = [];

export function withFakeClock(): void {
  beforeEach(() => {
    vi.useFakeTimers();
    vi.setSystemTime(new Date('2026-01-01T12:00:00Z'));
    reported.length = 0;
    vi.spyOn(console, 'error').mockImplementation((...words) => void reported.push(words.join(' ')));
    // The page's frames, on the same clock.
    vi.stubGlobal('requestAnimationFrame', (run: () => void) => setTimeout(run, 16));
    vi.stubGlobal('cancelAnimationFrame', (frame: never) => clearTimeout(frame));
    vi.stubGlobal('reportError', (error: unknown) => void reported.push(error));
  });
  afterEach(() => {
    cleanup();
    vi.runOnlyPendingTimers();
    vi.useRealTimers();
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
    if (reported.length > 0) throw new Error(`reported: ${reported.map(String).join('\n')}`);
  });
}

/** Lets time pass, and React do what follows. */
export async function pass(milliseconds: number): Promise<void> {
  await act(async () => {
    await vi.advanceTimersByTimeAsync(milliseconds);
  });
}

/** Lets a frame pass. */
export const frame = () => pass(20);

export interface Page {
  show(children: ReactNode): void;
  unmount(): void;
  readonly text: string | null;
}

/** Renders with a client. */
export function pageOf(client: FakeClient | undefined, children: ReactNode, isStrict = false): Page {
  const tree = (inner: ReactNode) => {
    const provided = client === undefined ? inner : <TidingsProvider client={client}>{inner}</TidingsProvider>;
    return isStrict ? <StrictMode>{provided}</StrictMode> : provided;
  };
  const { rerender, unmount, container } = render(tree(children));
  return {
    show: (inner) => rerender(tree(inner)),
    unmount,
    get text() {
      return container.textContent;
    },
  };
}
