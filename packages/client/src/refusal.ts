// What a response that is no success says, as a failure.

import type { Fetched } from './environment.ts';
import type { Failure, FailureKind } from './failure.ts';

function kindOf(status: number): FailureKind {
  if (status === 401) return 'auth';
  if (status === 414 || status === 431) return 'long';
  if ([408, 425, 429, 503].includes(status)) return 'busy';
  if ([404, 405, 406, 415, 426].includes(status)) return 'blocked';
  return status >= 500 ? 'network' : status === 204 ? 'gone' : status >= 400 ? 'forbidden' : 'blocked';
}

/** The time that `Retry-After` names (RFC 9110, 10.2.3): seconds, or a date that lies ahead. */
function pauseOf(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  const ahead = text.endsWith('GMT') ? Date.parse(text) - Date.now() : 0;
  return ahead > 0 ? ahead : undefined;
}

/** What a response that is no success says, and takes its body. */
export async function failureOf(response: Fetched): Promise<Failure> {
  const { status } = response;
  const problem = ((await response.json().catch(() => null)) ?? {}) as Partial<Failure>;
  const { code = `status_${status}`, detail = `the server answered ${status}`, at, current } = problem;
  const after = pauseOf(response.headers.get('retry-after') ?? '');
  return {
    kind: kindOf(status),
    code,
    status,
    detail,
    ...(at !== undefined && { at }),
    ...(current !== undefined && { current }),
    ...(after !== undefined && { after }),
  };
}
