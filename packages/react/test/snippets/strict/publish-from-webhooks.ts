import {
  PublishError,
  publishCastCompleted,
  publishCastFailed,
  publishCastStarted,
  publishCastStatusChange,
} from '@tidings/publisher';

// Tidings takes these deliveries itself, at `/api/webhooks/github`; this is for a backend that keeps its own casts.

interface Delivery {
  readonly action: string;
  readonly workflow_run: {
    readonly conclusion: string | null;
    readonly run_started_at: string;
    readonly updated_at: string;
  };
}

/** What a verified delivery says of the cast that its run carries out. */
export async function onWorkflowRun(delivery: Delivery, castId: string, userId: string): Promise<void> {
  const { action, workflow_run: run } = delivery;
  try {
    if (action === 'in_progress') await publishCastStarted(castId, userId, run.run_started_at);
    if (action !== 'completed') return;
    if (run.conclusion === 'success') {
      const [startedAt, finishedAt] = [new Date(run.run_started_at), new Date(run.updated_at)];
      await publishCastCompleted(castId, userId, finishedAt, finishedAt.getTime() - startedAt.getTime(), null);
    } else if (run.conclusion === 'cancelled') {
      await publishCastStatusChange(castId, userId, 'cancelled');
    } else {
      await publishCastFailed(castId, userId, `the run ended as ${run.conclusion ?? 'unknown'}`);
    }
  } catch (error) {
    // Deliveries come twice and late: what has ended stays as it is.
    if (!(error instanceof PublishError && error.code === 'illegal_transition')) throw error;
  }
}
