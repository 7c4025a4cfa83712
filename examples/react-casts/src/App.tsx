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

/** How long to wait before the server is asked again who is signed in. */
const PAUSE = 2000;

/** Who is signed in; `undefined` until the server has said so, which may take until it is back. */
function useUser() {
  const [user, setUser] = useState<User | null | undefined>(undefined);
  const [failures, setFailures] = useState(0);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let isHere = true;
    const failed = () => {
      if (isHere) timer = setTimeout(() => setFailures(failures + 1), PAUSE);
    };
    whoAmI().then((now) => isHere && setUser(now), failed);
    return () => {
      isHere = false;
      clearTimeout(timer);
    };
  }, [failures]);
  return { user, setUser, isFailing: failures > 0 };
}

function Away() {
  return (
    <main>
      <p role="alert">The server does not answer. It is asked again.</p>
    </main>
  );
}

export function App() {
  const { user, setUser, isFailing } = useUser();
  const hash = useSyncExternalStore(watchHash, () => location.hash);
  const { state, reconnect } = useConnectionStatus();

  // Signed out in another tab, or the session's time is over.
  useEffect(() => {
    if (state === 'refused') setUser(null);
  }, [state, setUser]);

  if (user === undefined) return isFailing ? <Away /> : null;
  const signedIn = (now: User) => {
    setUser(now);
    // Everything begins anew, as this user.
    reconnect();
  };
  const leave = async () => {
    await signOut();
    location.hash = '';
    setUser(null);
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
        <button type="button" onClick={leave}>
          Sign out
        </button>
      </header>
      <main>{castId === '' ? <CastList user={user} /> : <CastDetail key={castId} castId={castId} />}</main>
    </>
  );
}
