import type { RetrySettings } from './options.ts';

/**
 * The pause before the attempt after `attempt` (from 1): drawn evenly between 0 and a longest pause that doubles, so
 * that publishers that failed together do not come back together.
 */
export function pauseAfter(attempt: number, retry: RetrySettings): number {
  const longest = Math.min(retry.max, retry.initial * 2 ** (attempt - 1));
  return Math.random() * longest;
}

/** The longest time that a timer can wait; a longer one would end at once. */
const LONGEST = 2 ** 31 - 1;

/** A time as a timer can wait it. */
export function timerTime(milliseconds: number): number {
  return Math.min(milliseconds, LONGEST);
}

/** Waits; at the signal's abort it rejects with the signal's reason. */
export function wait(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, timerTime(milliseconds));
    signal?.addEventListener('abort', abort, { once: true });
  });
}

/** What a `Retry-After` says, in milliseconds from now (RFC 9110, 10.2.3: seconds or a date). */
export function retryAfterOf(header: string | null): number | undefined {
  if (header === null) return undefined;
  const text = header.trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}
