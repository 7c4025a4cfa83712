// One's casts, or the one that the address names.

import { useConnectionStatus } from '@tidings/react';
import { useEffect, useState, useSyncExternalStore } from 'react';
import { CastDetail } from './CastDetail.tsx';
import { CastList } from './CastList.tsx';
import { SignIn } from './SignIn.tsx';
import { signOut, type User, whoAmI } from './session.ts';

function watchHash(changed: () => void): () => void {
  window.addEventListener('hashchange', changed);
  return () => window.removeEventListener('hashchange', changed);
}

export function App() {
  const [user, setUser] = useState<User | null | undefined>(undefined);
  const hash = useSyncExternalStore(watchHash, () => location.hash);
  const { state, reconnect } = useConnectionStatus();

  useEffect(() => {
    whoAmI().then(setUser, () => setUser(null));
  }, []);

  if (user === undefined) return null;
  const signedIn = (now: User) => {
    setUser(now);
    // Whoever was signed out before was refused.
    reconnect();
  };
  if (user === null) return <SignIn onSignedIn={signedIn} />;

  const castId = decodeURIComponent(hash.replace(/^#\/?/, ''));
  return (
    <>
      <header>
        <a href="#/">Casts</a>
        <span className="live" data-state={state} role="status">
          {state === 'connected' ? 'live' : state}
        </span>
        <button type="button" onClick={() => signOut().then(() => setUser(null))}>
          Sign out
        </button>
      </header>
      <main>{castId === '' ? <CastList user={user} /> : <CastDetail key={castId} castId={castId} />}</main>
    </>
  );
}
