// In /api/webhooks/github/route.ts
case 'in_progress':
  await publishCastStarted(castId, userId, startedAt);
  break;

case 'completed':
  if (isSuccess) {
    await publishCastCompleted(...);
  } else {
    await publishCastFailed(...);
  }
  break;
