import { useCastEvents } from '@/hooks/useCastEvents';

function MyCastComponent({ castId }) {
  const { isConnected, lastEvent } = useCastEvents(
    { castId },
    {
      onStatus: (data) => {
        console.log('New status:', data.status);
      },
      onComplete: (data) => {
        toast.success('Cast completed!');
      },
    }
  );

  return (
    <div>
      <Badge>{lastEvent?.status}</Badge>
      {isConnected && <WifiIcon />}
    </div>
  );
}
