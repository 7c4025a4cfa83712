import { publishCastStarted, publishCastCompleted } from '@/lib/cast-events';

// When cast starts
await publishCastStarted(castId, userId, new Date());

// When cast completes
await publishCastCompleted(castId, userId, finishedAt, duration, costCents, artifactUrl);
