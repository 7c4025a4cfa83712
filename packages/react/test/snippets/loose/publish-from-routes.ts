import {
  publishCastStatusChange,
  publishCastStarted,
  publishCastCompleted,
  publishCastFailed,
} from '@/lib/cast-events';

// After creating a cast
await publishCastStatusChange(cast.id, userId, 'queued');

// When workflow starts
await publishCastStarted(cast.id, userId, new Date());

// On successful completion
await publishCastCompleted(
  cast.id,
  userId,
  finishedAt,
  duration,
  costCents,
  artifactUrl
);

// On failure
await publishCastFailed(cast.id, userId, errorMessage);
