// A page that follows casts as the user who is signed in.

import { TidingsProvider, useCastEvents, useConnectionStatus } from '@tidings/react';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

/** What a cast's item was told, and what it shows. */
export interface CastShown {
  readonly told: string[];
  isConnected: boolean;
  status: string | null;
  error: string | null;
  code: string | null;
}

const shown: { [id: string]: CastShown } = {};

function Item({ id }: { id: string }) {
  shown[id] ??= { told: [], isConnected: false, status: null, error: null, code: null };
  const item = shown[id];
  const { isConnected, lastEvent, error } = useCastEvents(
    { castId: id },
    {
      onStatus: ({ status }) => item.told.push(status),
      onArtifact: ({ artifactUrl }) => item.told.push(artifactUrl),
    },
  );
  Object.assign(item, { isConnected, status: lastEvent?.status ?? null, error: error?.message ?? null });
  item.code = error !== null && 'code' in error ? String(error.code) : null;
  return <p>{lastEvent?.status}</p>;
}

function Reconnecting() {
  const { reconnect } = useConnectionStatus();
  user.reconnect = reconnect;
  return null;
}

const user = {
  reconnect: () => {},
  start(url: string, casts: readonly string[]) {
    createRoot(document.getElementById('root') as HTMLElement).render(
      <StrictMode>
        <TidingsProvider url={url} credentials="include" backoff={{ initial: 50, max: 500 }}>
          <Reconnecting />
          {casts.map((id) => (
            <Item key={id} id={id} />
          ))}
        </TidingsProvider>
      </StrictMode>,
    );
  },
  shown: () => shown,
};

declare global {
  interface Window {
    user: typeof user;
  }
}
window.user = user;
