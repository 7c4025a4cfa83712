import { publishCastCompleted, publishCastStarted } from '@tidings/publisher';

/** When a cast starts: gives what tells that it has succeeded. */
export async function castStarted(castId: string, userId: string) {
  const startedAt = new Date();
  await publishCastStarted(castId, userId, startedAt);

  return async (costCents: number | null, artifactUrl: string | null): Promise<void> => {
    const finishedAt = new Date();
    const duration = finishedAt.getTime() - startedAt.getTime();
    await publishCastCompleted(castId, userId, finishedAt, duration, costCents, artifactUrl);
  };
}
