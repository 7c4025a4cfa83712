// What failures mean for what is known.

import { TidingsError } from '@tidings/client';

/** After these it cannot be had, however often it is asked for. */
const FINAL: readonly string[] = ['auth', 'forbidden', 'gone', 'blocked'];
/** After these nothing is shown that was known before: whoever is here now may not see it. */
const HIDDEN: readonly string[] = ['auth', 'forbidden'];

/**
 * Whether asking again is of no use, until somebody has done something about it. Of what is no `TidingsError`, such as a
 * part of the client that could not be loaded, the client itself tries again.
 */
export function isFinal(error: Error): boolean {
  return error instanceof TidingsError && FINAL.includes(error.failure.kind);
}

/** Whether what was known may not be shown any more. */
export function isHidden(error: Error): boolean {
  return error instanceof TidingsError && (HIDDEN.includes(error.failure.kind) || error.status === 404);
}

/** Whether a connection's error says that nobody is signed in, or no longer. */
export function isSignedOut(error: Error | null): boolean {
  return error instanceof TidingsError && error.failure.kind === 'auth';
}
