import { useCastEvents } from '@tidings/react';
import { toast } from '../page/app.tsx';

export function Following({ castId }: { castId: string }) {
  const { isConnected, lastEvent } = useCastEvents(
    { castId },
    {
      onStatus: (data) => console.log('Status:', data.status),
      onComplete: () => toast.success('Completed!'),
    },
  );

  return <pre>{JSON.stringify({ isConnected, lastEvent })}</pre>;
}
