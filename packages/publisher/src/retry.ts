import { pauseAfter, wait } from './backoff.ts';
import { PublishError } from './errors.ts';
import type { Settings } from './options.ts';
import { post } from './request.ts';

/**
 * Sends a POST until it is answered, refused for good, or tried often or long enough. The body carries idempotency
 * keys: however often it arrives, what it asks happens once.
 */
export async function postUntilAnswered(
  settings: Settings,
  path: string,
  body: string,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const { retry } = settings;
  const began = performance.now();
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await post(settings, path, body, signal);
    } catch (error) {
      if (!(error instanceof PublishError)) throw error;
      error.attempts = attempt;
      if (!error.isTemporary || attempt >= retry.attempts) throw error;
      const pause = pauseAfter(attempt, retry) + (error.retryAfter ?? 0);
      // A pause that leads past the end is not begun: the caller is told now.
      if (performance.now() - began + pause > retry.within) throw error;
      await wait(pause, signal);
    }
  }
}
