import { useCastEvents } from '@tidings/react';
import { Badge, toast, WifiIcon } from '../page/app.tsx';

export function MyCastComponent({ castId }: { castId: string }) {
  const { isConnected, lastEvent, error } = useCastEvents(
    { castId },
    {
      onStatus: (data) => console.log('New status:', data.status),
      onComplete: () => toast.success('Cast completed!'),
    },
  );

  if (error !== null) return <p role="alert">{error.message}</p>;
  return (
    <div>
      <Badge>{lastEvent?.status ?? 'loading'}</Badge>
      {isConnected && <WifiIcon />}
    </div>
  );
}
