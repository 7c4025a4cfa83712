// A client in Chromium's page.

import type { Browser } from '../support/browser.ts';
import { type Rig, type RigOptions, type Told, timesFor } from './rig.ts';

export async function browserRig(browser: Browser, { url, key, transport }: RigOptions): Promise<Rig> {
  const options = { url, token: key, transports: [transport], ...timesFor(transport) };
  const name = await browser.call<number>('make', options);
  let isOpen = true;
  return {
    told: () => browser.call<Told>('told', name),
    subscribe: (channel) => browser.call('start', name, channel),
    reconnect: () => browser.call('reconnect', name),
    close: async () => {
      if (isOpen) await browser.call('close', name);
      isOpen = false;
      // The page's timers are not counted; its connections are.
      return 0;
    },
  };
}
