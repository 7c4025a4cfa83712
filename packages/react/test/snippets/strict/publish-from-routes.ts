import {
  publishCastCompleted,
  publishCastFailed,
  publishCastStarted,
  publishCastStatusChange,
} from '@tidings/publisher';

interface Owned {
  readonly id: string;
  readonly userId: string;
}

interface Outcome {
  readonly costCents: number;
  readonly artifactUrl?: string;
}

/** After creating a cast. */
export async function castCreated({ id, userId }: Owned): Promise<void> {
  await publishCastStatusChange(id, userId, 'queued');
}

/** Carries a cast out: it ends once, well or badly. */
export async function carryOut({ id, userId }: Owned, work: () => Promise<Outcome>): Promise<void> {
  const startedAt = new Date();
  await publishCastStarted(id, userId, startedAt);

  let outcome: Outcome;
  try {
    outcome = await work();
  } catch (error) {
    await publishCastFailed(id, userId, error instanceof Error ? error.message : String(error));
    return;
  }
  // Outside of the `try`: that it could not be told is not that it failed.
  const finishedAt = new Date();
  const duration = finishedAt.getTime() - startedAt.getTime();
  await publishCastCompleted(id, userId, finishedAt, duration, outcome.costCents, outcome.artifactUrl);
}
