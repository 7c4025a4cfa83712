// `@tidings/client/tabs`: tabs of one browser share one connection. TABS.md says how.

import type { Driver, DriverParts } from '../driver.ts';
import type { Broadcast } from '../environment.ts';
import { Member } from './member.ts';

/** A connection that is shared with the other tabs; where that cannot be, one of this client's own. */
export async function drive(parts: DriverParts): Promise<Driver> {
  const { options, environment, requests } = parts;
  const { tabs, auth } = options;
  const platform = {
    BroadcastChannel: globalThis.BroadcastChannel,
    locks: globalThis.navigator?.locks,
    ...environment,
  };
  const { locks, BroadcastChannel, origin } = platform;
  // Tabs with a credential of their own must say whose it is.
  const isNamed = auth === undefined || typeof tabs === 'string';
  if (!isNamed) environment.report(new TypeError('tidings: with `auth`, `tabs` must name who is signed in'));
  if (isNamed && locks && BroadcastChannel && origin) {
    const { url, credentials } = await requests();
    const base = `tidings:1:${JSON.stringify([url, credentials, tabs])}`;
    const open = (name: string) => new BroadcastChannel(name) as Broadcast;
    return new Member(parts, { base, locks, open });
  }
  return (await import('../driver.ts')).drive(parts);
}
