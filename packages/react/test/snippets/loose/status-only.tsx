import { useCastStatus } from '@/hooks/useCastEvents';

function SimpleCast({ castId }) {
  const { status, isTerminal, isConnected } = useCastStatus(castId);

  return (
    <div>
      <span>{status}</span>
      {!isTerminal && isConnected && <span>🟢 Live</span>}
    </div>
  );
}
