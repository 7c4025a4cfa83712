// Provides what `loose/prelude.d.ts` declares for backends, before a snippet's module is loaded.

import { publishCastCompleted, publishCastFailed, publishCastStarted } from '@tidings/publisher';
import { facts, prisma } from './facts.ts';

const { castIds, userId } = facts;
const [castId] = castIds;
const [finishedAt, duration, costCents, artifactUrl] = [new Date(), 180_000, 250, 'https://files.example/1.zip'];
const errorMessage = 'out of memory';

let asked = 0;

Object.assign(globalThis, {
  publishCastStarted,
  publishCastCompleted,
  publishCastFailed,
  prisma: { cast: prisma },
  cast: {
    get id() {
      asked += 1;
      return castIds[asked > 3 ? castIds.length - 1 : 0];
    },
  },
  castId,
  userId,
  startedAt: new Date(finishedAt.getTime() - duration),
  finishedAt,
  duration,
  costCents,
  artifactUrl,
  errorMessage,
  isSuccess: facts.isSuccess,
  change: { where: { id: castId }, data: { progress: 40 } },
  completed: [castId, userId, finishedAt, duration, costCents, artifactUrl],
  failed: [castId, userId, errorMessage],
});
