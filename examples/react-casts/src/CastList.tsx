// All of a user's casts: the list as it was read, and every event after that; new casts come by themselves.

import type { Event } from '@tidings/client';
import { applyCastEvent, type Cast } from '@tidings/client/casts';
import { useSnapshot } from '@tidings/react';
import { Badge } from './Badge.tsx';
import type { User } from './session.ts';

interface List {
  readonly items: readonly Cast[];
}

/** What events of a cast say beside its status. */
type CastData = Partial<Cast> & { readonly castId: string };

function apply(list: List, event: Event<CastData>): List {
  const { castId, timestamp, ...data } = event.data as CastData & { readonly timestamp: string };
  if (castId === undefined) return list;
  const known = list.items.find(({ id }) => id === castId);
  if (known === undefined) {
    const cast = { id: castId, createdAt: timestamp, updatedAt: timestamp, version: event.version, ...data } as Cast;
    return { items: [cast, ...list.items] };
  }
  if ((event.version ?? 0) < known.version) return list;
  return { items: list.items.map((cast) => (cast === known ? applyCastEvent(cast, event) : cast)) };
}

export function CastList({ user }: { user: User }) {
  // A user of another issuer has an id that is written differently in a channel's name; those of this server have not.
  const { data, error } = useSnapshot<List, CastData>('/api/casts?limit=200', `user:${user.id}:casts`, apply);
  if (data === undefined) return <p>{error === null ? 'Reading…' : error.message}</p>;
  if (data.items.length === 0) return <p>No casts yet. One that a backend tells of appears here.</p>;
  return (
    <ul className="casts">
      {data.items.map((cast) => (
        <li key={cast.id}>
          <a href={`#/${encodeURIComponent(cast.id)}`}>{cast.id}</a>
          {cast.status === 'running' && <progress max={100} value={cast.progress ?? undefined} />}
          <Badge status={cast.status} />
        </li>
      ))}
    </ul>
  );
}
