// The HTTP interface of the program. What workers and users do to casts goes through here, and Tidings is told of it.

import {
  PublishError,
  publishCastCompleted,
  publishCastFailed,
  publishCastProgress,
  publishCastStarted,
  publishCastStatusChange,
} from '@tidings/publisher';
import express, { type ErrorRequestHandler, type Express, type Request, type Response } from 'express';
import type { CastRecord, CastStore } from './store.ts';
import { tell } from './telling.ts';

/** The program, with its store. */
export function createApp(store: CastStore): Express {
  const app = express();
  app.use(express.json({ limit: '100kb' }));

  app.post('/casts', async (request, response) => {
    // A real program takes the user from its session, not from the request.
    const { userId, spell } = request.body as { userId: string; spell: string };
    const cast = await store.create(userId, spell);
    await tell(store, cast, () => publishCastStatusChange(cast.id, cast.userId, 'queued'));
    response.status(201).json(store.find(cast.id));
  });

  app.get('/casts/:id', (request, response) => answer(response, find(store, request)));

  app.post('/casts/:id/start', async (request, response) => {
    const startedAt = new Date();
    const cast = await change(store, request, { status: 'running', startedAt: startedAt.toISOString() });
    if (cast) await tell(store, cast, () => publishCastStarted(cast.id, cast.userId, startedAt));
    answer(response, find(store, request));
  });

  // Progress is told and not stored: the next one makes up for one that is lost.
  app.post('/casts/:id/progress', async (request, response) => {
    const cast = find(store, request);
    const { progress, message } = request.body as { progress: number; message?: string };
    if (cast) await publishCastProgress(cast.id, cast.userId, progress, message);
    answer(response, cast);
  });

  app.post('/casts/:id/complete', async (request, response) => {
    const { costCents = null, artifactUrl = null } = (request.body ?? {}) as Partial<CastRecord>;
    const before = find(store, request);
    const finishedAt = new Date();
    const duration = before?.startedAt ? finishedAt.getTime() - Date.parse(before.startedAt) : null;
    const end = { finishedAt: finishedAt.toISOString(), duration, costCents, artifactUrl };
    const cast = await change(store, request, { status: 'succeeded', ...end });
    if (cast) {
      const { id, userId } = cast;
      await tell(store, cast, () => publishCastCompleted(id, userId, finishedAt, duration, costCents, artifactUrl));
    }
    answer(response, find(store, request));
  });

  app.post('/casts/:id/fail', async (request, response) => {
    const { errorMessage } = request.body as { errorMessage: string };
    const end = { finishedAt: new Date().toISOString(), errorMessage };
    const cast = await change(store, request, { status: 'failed', ...end });
    if (cast) await tell(store, cast, () => publishCastFailed(cast.id, cast.userId, errorMessage));
    answer(response, find(store, request));
  });

  app.use(onError);
  return app;
}

function find(store: CastStore, request: Request): CastRecord | undefined {
  return store.find(String(request.params['id']));
}

async function change(store: CastStore, request: Request, to: Partial<CastRecord>): Promise<CastRecord | undefined> {
  const cast = find(store, request);
  const isOver = cast !== undefined && !['queued', 'running'].includes(cast.status);
  if (isOver) throw new EndedError();
  return cast && store.change(cast.id, to);
}

/** Nothing follows the end of a cast. */
class EndedError extends Error {}

function answer(response: Response, cast: CastRecord | undefined): void {
  if (cast === undefined) response.status(404).json({ error: 'there is no such cast' });
  else response.json(cast);
}

const onError: ErrorRequestHandler = (error, _request, response, _next) => {
  if (error instanceof EndedError) {
    response.status(409).json({ error: 'the cast has ended' });
  } else if (error instanceof PublishError) {
    // The change is stored; Tidings hears of it at the next start, or with the next change.
    response.status(error.isTemporary ? 503 : 500).json({ error: error.message });
  } else {
    console.error(error);
    response.status(500).json({ error: 'this should not have happened' });
  }
};
