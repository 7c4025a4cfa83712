// The times and limits of the connection: the options, with the defaults of those that are not given.

import type { MachineConfig } from './machine/state.ts';
import type { ClientOptions } from './options.ts';

/** What the machine is told once. */
export function configOf(options: ClientOptions, transports: number): MachineConfig {
  const { backoff = {}, heartbeat = 30_000, watchdog, openTimeout = 10_000, restoreAfter = 60_000 } = options;
  const { suspendAfter = 300_000, linger = 5000, auth } = options;
  const { initial = 1000, max = 30_000, attempts = Number.POSITIVE_INFINITY } = backoff;
  const canRenew = typeof auth === 'function';
  const times = { heartbeat, watchdog: watchdog ?? null, openTimeout, restoreAfter, suspendAfter, linger };
  return { transports, initial, max, attempts, canRenew, ...times };
}
