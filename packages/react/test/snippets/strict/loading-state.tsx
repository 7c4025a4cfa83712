import { useCastEvents } from '@tidings/react';
import { Spinner } from '../page/app.tsx';

// Nothing is fetched beside the hook: it begins with the cast's state, and loses nothing between that and its events.
export function CastWithLoading({ castId }: { castId: string }) {
  const { lastEvent, error } = useCastEvents({ castId });

  if (lastEvent !== null) return <div>{lastEvent.status}</div>;
  return error === null ? <Spinner /> : <p role="alert">{error.message}</p>;
}
