// Everything the client needs of its surroundings, so that tests and other runtimes can give their own.

/** What a fetched response must have; the platform's `Response` does. */
export interface Fetched {
  readonly ok: boolean;
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly body: ReadableStream<Uint8Array> | null;
  json(): Promise<unknown>;
  text(): Promise<string>;
}

/** What the client asks `fetch` with. */
export interface FetchOptions {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly credentials?: 'omit' | 'same-origin' | 'include';
  readonly cache?: 'no-store';
  readonly signal?: AbortSignal;
}

/** What a WebSocket must have; the platform's and npm `ws` do. */
export interface Socket {
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: { readonly code: number; readonly reason: string }) => void) | null;
  onerror: ((event: never) => void) | null;
  send(text: string): void;
  close(code?: number): void;
}

/** What an EventSource must have; the platform's does. */
export interface Source {
  onerror: ((event: never) => void) | null;
  addEventListener(
    type: string,
    listener: (event: { readonly data: string; readonly lastEventId: string }) => void,
  ): void;
  close(): void;
}

/** What the surroundings say of network and page. `frozen`: the page is put away, with its connections. */
export type Signal = 'online' | 'offline' | 'visible' | 'hidden' | 'frozen';

/** What Web Locks must have; the platform's do. */
export interface Locks {
  request(
    name: string,
    options: { readonly mode?: 'exclusive' | 'shared'; readonly steal?: boolean; readonly signal?: AbortSignal },
    hold: () => Promise<void>,
  ): Promise<unknown>;
}

/** What a BroadcastChannel must have; the platform's does. */
export interface Broadcast {
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  postMessage(message: unknown): void;
  close(): void;
}

/** The client's surroundings. */
export interface Environment {
  /** Milliseconds of a clock that never goes back, and that has gone on while the machine slept. */
  now(): number;
  /** A number drawn from [0, 1). */
  random(): number;
  /** Calls once after so many milliseconds; answers what cancels it. */
  after(milliseconds: number, run: () => void): () => void;
  readonly fetch: ((url: string, options: FetchOptions) => Promise<Fetched>) | undefined;
  readonly WebSocket: (new (url: string) => Socket) | undefined;
  readonly EventSource: (new (url: string, options: { withCredentials: boolean }) => Source) | undefined;
  /** For tabs that share; looked for only then. */
  readonly locks?: Locks | undefined;
  readonly BroadcastChannel?: (new (name: string) => Broadcast) | undefined;
  /** The page's origin; `undefined` outside of browsers. */
  readonly origin: string | undefined;
  /** Calls with what holds now, as far as it is not the ordinary, and with each change; answers what ends that. */
  watch(listener: (signal: Signal) => void): () => void;
  /** Takes an error that nobody else takes. */
  report(error: unknown): void;
}

/** A clock that does not go back, and goes on where the platform's stops while the machine sleeps. */
function steadyClock(): () => number {
  const monotonic = () => performance.now();
  let [slept, drift] = [0, Date.now() - monotonic()];
  return () => {
    const now = monotonic();
    const ahead = Date.now() - now - drift;
    // Small steps are the clock being set right.
    if (ahead > 5000) slept += ahead;
    drift += ahead;
    return now + slept;
  };
}

function watchPage(listener: (signal: Signal) => void): () => void {
  const page = globalThis.document as Document | undefined;
  if (page === undefined) return () => {};
  const network = () => listener(navigator.onLine ? 'online' : 'offline');
  const sight = () => listener(page.visibilityState === 'hidden' ? 'hidden' : 'visible');
  const away = () => listener('frozen');
  const back = (event: PageTransitionEvent) => event.persisted && listener('visible');
  const heard = new AbortController();
  const { signal } = heard;
  addEventListener('online', network, { signal });
  addEventListener('offline', network, { signal });
  addEventListener('pagehide', away, { signal });
  addEventListener('pageshow', back, { signal });
  page.addEventListener('visibilitychange', sight, { signal });
  page.addEventListener('freeze', away, { signal });
  page.addEventListener('resume', sight, { signal });
  if (!navigator.onLine) network();
  if (page.visibilityState === 'hidden') sight();
  return () => heard.abort();
}

/** The platform's own surroundings, with what is given in their place. */
export function environment(given: Partial<Environment> = {}): Environment {
  const { fetch, WebSocket, EventSource, document } = globalThis;
  return {
    now: steadyClock(),
    random: Math.random,
    after: (milliseconds, run) => {
      // Longer times do not fit the platform's timers; whoever waits looks at the clock again.
      const timer = setTimeout(run, Math.min(milliseconds, 2 ** 31 - 1));
      return () => clearTimeout(timer);
    },
    fetch: fetch?.bind(globalThis) as Environment['fetch'],
    WebSocket: WebSocket as unknown as Environment['WebSocket'],
    EventSource: EventSource as unknown as Environment['EventSource'],
    origin: document === undefined ? undefined : globalThis.location?.origin,
    watch: watchPage,
    report: (error) => (globalThis.reportError ?? console.error)(error),
    ...given,
  };
}
