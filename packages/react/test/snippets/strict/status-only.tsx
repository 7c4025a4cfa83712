import { useCastStatus } from '@tidings/react';

export function SimpleCast({ castId }: { castId: string }) {
  const { status, isTerminal, isConnected } = useCastStatus(castId);

  return (
    <div>
      <span>{status ?? 'loading'}</span>
      {!isTerminal && isConnected && <span>🟢 Live</span>}
    </div>
  );
}
