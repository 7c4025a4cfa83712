import { useCastPolling } from '@tidings/react';

export function CastWithFallback({ castId }: { castId: string }) {
  const { cast, isPolling, error } = useCastPolling(castId, {
    interval: 5000,
    onUpdate: (updatedCast) => console.log('Cast updated via polling:', updatedCast),
  });

  if (cast === null) return <p role="status">{error?.message ?? (isPolling ? 'loading' : 'no cast')}</p>;
  return <div>{cast.status}</div>;
}
