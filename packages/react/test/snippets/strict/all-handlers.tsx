import type { Cast } from '@tidings/client/casts';
import { useCastEvents } from '@tidings/react';
import { useState } from 'react';
import { toast } from '../page/app.tsx';

export function CastDetail({ castId }: { castId: string }) {
  const [cast, setCast] = useState<Cast | null>(null);
  const [progress, setProgress] = useState<number | null>(null);
  const [isLive, setIsLive] = useState(false);
  // No `maxReconnectAttempts`: it tries again for as long as the page is open.
  const { isConnected, lastEvent, lastUpdate, error } = useCastEvents(
    { castId },
    {
      // The record comes with what is told, so that nobody guesses what else has changed.
      onStatus: (_data, info) => setCast(info.cast),
      // What it did when the page was opened is no news: then `message` is not there.
      onProgress: ({ progress, message }) => {
        setProgress(progress);
        if (message !== undefined) toast.info(message);
      },
      onComplete: (_data, info) => {
        toast.success('Execution completed!');
        setCast(info.cast);
      },
      onError: (data, info) => {
        toast.error(data.errorMessage || 'Execution failed');
        setCast(info.cast);
      },
      onConnectionChange: setIsLive,
    },
  );

  const status = cast?.status;
  return <pre>{JSON.stringify({ isConnected, isLive, status, progress, lastEvent, lastUpdate, error })}</pre>;
}
