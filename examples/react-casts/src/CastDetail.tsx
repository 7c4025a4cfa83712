// One cast, live to its end.

import { useCastEvents } from '@tidings/react';
import { useState } from 'react';
import { Badge } from './Badge.tsx';

/** Lines kept of what has happened. */
const MOST_LINES = 50;

export function CastDetail({ castId }: { castId: string }) {
  const [lines, setLines] = useState<readonly string[]>([]);
  const say = (line: string) => setLines((known) => [line, ...known].slice(0, MOST_LINES));
  const { isConnected, lastEvent, lastUpdate, error, reconnect } = useCastEvents(
    { castId },
    {
      onStatus: ({ status }, { isInitial }) => isInitial || say(`It is ${status}.`),
      onProgress: ({ progress, message }, { isInitial }) =>
        isInitial || say(message === undefined ? `${progress} %` : `${progress} %: ${message}`),
      onComplete: ({ duration }) => say(duration === null ? 'Done.' : `Done, after ${Math.round(duration / 1000)} s.`),
      onError: ({ errorMessage }) => say(`It failed: ${errorMessage}`),
    },
  );

  if (lastEvent === null) {
    return error === null ? (
      <p>Reading…</p>
    ) : (
      <p role="alert">
        {error.message}{' '}
        <button type="button" onClick={reconnect}>
          Try again
        </button>
      </p>
    );
  }
  const { status, progress, message, artifactUrl } = lastEvent;
  return (
    <article>
      <h1>
        {castId} <Badge status={status} />
      </h1>
      {status === 'running' && <progress max={100} value={progress ?? undefined} />}
      {message && <p>{message}</p>}
      {artifactUrl && (
        <p>
          <a href={artifactUrl}>What it made</a>
        </p>
      )}
      <p className="when">
        {isConnected ? 'live' : (error?.message ?? 'at its end')}
        {lastUpdate && `, as of ${lastUpdate.toLocaleTimeString()}`}
      </p>
      <ul className="lines">
        {lines.map((line, index) => (
          <li key={lines.length - index}>{line}</li>
        ))}
      </ul>
    </article>
  );
}
