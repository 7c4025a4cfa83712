import { useCastPolling } from '@/hooks/useCastEvents';

function CastWithFallback({ castId }) {
  const { cast, isPolling } = useCastPolling(castId, {
    interval: 5000,
    onUpdate: (updatedCast) => {
      console.log('Cast updated via polling:', updatedCast);
    },
  });

  return <div>{cast?.status}</div>;
}
