import { useCastEvents } from '@/hooks/useCastEvents';

const { isConnected, lastEvent } = useCastEvents(
  { castId },
  {
    onStatus: (data) => console.log('Status:', data.status),
    onComplete: (data) => toast.success('Completed!'),
  }
);
