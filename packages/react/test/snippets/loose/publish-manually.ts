import { publishCastUpdate } from '@/lib/cast-events';

// After any cast database update
await prisma.cast.update({ ... });
await publishCastUpdate(castId); // Publishes current state
