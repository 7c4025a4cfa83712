// Which client the hooks of a tree use.

import type { Client, ClientOptions } from '@tidings/client';
import { createContext, type ReactNode, useContext, useEffect, useInsertionEffect, useState } from 'react';
import { defaultClient } from './default-client.ts';
import { LazyClient } from './lazy-client.ts';

const ClientContext = createContext<Client | null>(null);

/** What a provider takes: a client, or the options of one. */
export interface TidingsProviderProps extends ClientOptions {
  /** A client of the app's own, used as it is and never closed. Default: one made from the other properties. */
  readonly client?: Client | undefined;
  readonly children?: ReactNode;
}

/** What makes it another client: where it is, and whose. A function is asked whenever a credential is needed. */
function identityOf({ url, auth }: ClientOptions): string {
  return JSON.stringify([url ?? null, typeof auth, typeof auth === 'string' ? auth : null]);
}

function useOwnClient(options: ClientOptions): LazyClient {
  const identity = identityOf(options);
  const make = () => ({ identity, client: new LazyClient(options) });
  const [own, setOwn] = useState(make);
  const current = own.identity === identity ? own : make();
  if (current !== own) setOwn(current);
  const { client } = current;
  useInsertionEffect(() => {
    client.auth = options.auth;
  });
  useEffect(() => client.hold(), [client]);
  return client;
}

/**
 * Gives a tree its client. Optional: without it the page's default client is used.
 *
 * The client is made when something is first followed, and closed when the provider is gone for good. Another `url`
 * makes another client, and so does another `auth`: another text, a function in place of a text, or none. Of two functions
 * the latest one is asked when a credential is needed, for the same user; give the provider a `key` of the user where
 * that may change. The other options count as they are at the first render.
 */
export function TidingsProvider({ client, children, ...options }: TidingsProviderProps): ReactNode {
  const own = useOwnClient(options);
  return <ClientContext.Provider value={client ?? own}>{children}</ClientContext.Provider>;
}

/** The client of the nearest provider, else the page's: one at its origin. */
export function useClient(): Client {
  return useContext(ClientContext) ?? defaultClient();
}
