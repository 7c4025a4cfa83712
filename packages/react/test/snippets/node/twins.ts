// Calls the twins of the backend's snippets, each by its file.

import { carryOut, castCreated } from '../strict/publish-from-routes.ts';
import { onWorkflowRun } from '../strict/publish-from-webhooks.ts';
import { changeCast } from '../strict/publish-manually.ts';
import { castStarted } from '../strict/summary-publishing.ts';
import { facts, prisma } from './facts.ts';

const { castIds, userId, action, isSuccess } = facts;
const [castId = '', otherId = ''] = castIds;

export const twins: Readonly<Record<string, () => Promise<void>>> = {
  'publish-from-routes.ts': async () => {
    for (const id of [castId, otherId]) await castCreated({ id, userId });
    await carryOut({ id: castId, userId }, async () => ({
      costCents: 250,
      artifactUrl: 'https://files.example/1.zip',
    }));
    await carryOut({ id: otherId, userId }, async () => {
      throw new Error('out of memory');
    });
  },
  'publish-from-webhooks.ts': async () => {
    const [conclusion, at] = [isSuccess ? 'success' : 'failure', new Date().toISOString()];
    const delivery = { action: action ?? '', workflow_run: { conclusion, run_started_at: at, updated_at: at } };
    // It comes twice.
    await onWorkflowRun(delivery, castId, userId);
    await onWorkflowRun(delivery, castId, userId);
  },
  'publish-manually.ts': () => changeCast(prisma, castId, { progress: 40 }),
  'summary-publishing.ts': async () => {
    const succeeded = await castStarted(castId, userId);
    await succeeded(250, 'https://files.example/1.zip');
  },
};
