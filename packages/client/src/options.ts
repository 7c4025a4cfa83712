// The client's options, each with its default.

import type { Environment } from './environment.ts';
import type { Transport } from './transports/transport.ts';

/** The transports by name, loaded when they are first used. */
export type TransportName = 'websocket' | 'sse' | 'eventsource' | 'poll';

/** What is asked of {@link ClientOptions.auth}. */
export interface AuthRequest {
  /** Whether the last credential was refused or ends soon, so that a new one is needed. */
  readonly fresh: boolean;
}

/**
 * Options of a client. Times are numbers of milliseconds from 1 on (`suspendAfter` and `linger` from 0); `Infinity` is one.
 * Limits are numbers from 0 on.
 */
export interface ClientOptions {
  /**
   * The server's address: `http`, `https`, `ws` or `wss`, perhaps with a path; relative ones count from the page.
   * Default: `REACT_APP_WEBSOCKET_URL`, else `PUBLIC_SERVER_URL` with `PUBLIC_SERVER_API_PATH`, where the bundler gives
   * them (an ending `/ws` or `/api` is left out), else the page's origin. Outside of browsers it is needed.
   */
  readonly url?: string | undefined;
  /**
   * An API key or token, or what gives one; it is called again for a fresh one before the credential ends (after half
   * of the time that is left at the server's notice, at most 30 s), and once when it is refused. An empty text says that there is none: the state is then `refused`. What it throws counts as
   * the network's failure. Default: none; the browser's cookie counts.
   */
  readonly auth?: string | ((request: AuthRequest) => string | Promise<string>) | undefined;
  /**
   * Whether cookies go along. `include`: also to another origin, which must list this page's in `cors.origins`.
   * Default: `include`; with `auth` `same-origin`.
   */
  readonly credentials?: 'omit' | 'same-origin' | 'include' | undefined;
  /**
   * Which transports may be used, the best first: names, which are loaded when they are needed, or transports from the
   * entries `@tidings/client/websocket` and so on, which come with the page. Those that this runtime does not have are
   * passed over. Default: `websocket`, `sse`, `eventsource`, `poll`; with `auth` `sse` goes first, since a WebSocket
   * from a browser needs a ticket for it, and a new one for each further channel.
   */
  readonly transports?: readonly (TransportName | Transport)[] | undefined;
  /** The server's `stream.heartbeat`, until its interval is known. Default: 30,000. */
  readonly heartbeat?: number | undefined;
  /** How long a stream may be silent before it is given up. Default: 2.5 heartbeats. */
  readonly watchdog?: number | undefined;
  /** How long the opening of a stream, and any other request, may take. Default: 10,000. */
  readonly openTimeout?: number | undefined;
  /** The times between attempts; each is drawn from zero to a limit that doubles (full jitter). */
  readonly backoff?:
    | {
        /** The first limit. Default: 1,000. */
        readonly initial?: number | undefined;
        /** The last limit. Default: 30,000. */
        readonly max?: number | undefined;
        /** How often in a row it is tried again; when that has failed too the state is `refused`. Default: no limit. */
        readonly attempts?: number | undefined;
      }
    | undefined;
  /**
   * How long a transport that does not get through is left out; doubles with each time, up to an hour. After that it is
   * tried beside the one that works. Default: 60,000.
   */
  readonly restoreAfter?: number | undefined;
  /** After how long the stream of a hidden page is closed; it goes on where it was when the page is seen. Default: 300,000. */
  readonly suspendAfter?: number | undefined;
  /** How long the stream stays open once nothing is subscribed. Default: 5,000. */
  readonly linger?: number | undefined;
  /**
   * Most events that wait for one subscription: for a listener that has not finished, and while channels are being
   * added. Past that all of them are dropped, and the subscription is told of a gap with reason `overflow`. Default: 1,000.
   */
  readonly queueLimit?: number | undefined;
  /**
   * How many events are kept, at most about a megabyte of them: a subscription that begins in the past of the open
   * stream gets from here what others were given; where that does not reach, the stream is opened anew. Default: 256.
   */
  readonly recentLimit?: number | undefined;
  /**
   * Whether the tabs of a browser share one connection: those of this origin with the same `url` and `credentials`. A text
   * names who is signed in, and only tabs with the same one share; with `auth` it must be a text, since each tab may have
   * a credential of its own. The options of the tab that holds the connection count. Where the browser has no Web Locks
   * or `BroadcastChannel`, or the page is not secure, each tab has its own connection. Default: `false`.
   */
  readonly tabs?: boolean | string | undefined;
  /** Clock, timers, randomness, `fetch`, `WebSocket`, `EventSource` and the page's signals. Default: the platform's. */
  readonly environment?: Partial<Environment> | undefined;
  /** Called with each step of the connection; see `@tidings/client/debug`. Default: none. */
  readonly trace?: Trace | undefined;
}

/** What the connection tells a trace: what happened, what came of it, and the state's names before and after. */
export type Trace = (entry: {
  readonly input: { readonly type: string };
  readonly from: string;
  readonly to: string;
  readonly effects: readonly { readonly type: string }[];
  /** All of the state; its shape may change with any version. */
  readonly state: unknown;
}) => void;
