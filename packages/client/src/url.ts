// Where the server is.

declare const process: { readonly env: Record<string, string | undefined> };

/** What a bundler gives for a name, if it gives anything. */
function given(read: () => string | undefined): string | undefined {
  try {
    return read() || undefined;
  } catch {
    return undefined;
  }
}

type BundlerMeta = { readonly env?: Record<string, string | undefined> };

/** The addresses of the bundler's environment, in their order. Written out, because bundlers replace the literal text. */
function fromBundler(): string | undefined {
  const socket = given(() => process.env['REACT_APP_WEBSOCKET_URL'] as string | undefined);
  if (socket !== undefined) return socket.replace(/\/ws\/?$/, '');
  const meta = (import.meta as unknown as BundlerMeta).env;
  const server = given(() => process.env['PUBLIC_SERVER_URL']) ?? meta?.['PUBLIC_SERVER_URL'];
  if (server === undefined) return undefined;
  const path = given(() => process.env['PUBLIC_SERVER_API_PATH']) ?? meta?.['PUBLIC_SERVER_API_PATH'] ?? '';
  // The API's path is where the apps' routes are; the server's root is above it.
  return server + path.replace(/\/api\/?$/, '');
}

/**
 * The server's address, without a slash at its end: what is given, else the bundler's, else the page's origin.
 *
 * @throws TypeError where there is none, or one that is no `http`, `https`, `ws` or `wss` address.
 */
export function serverUrl(url: string | undefined, origin: string | undefined): string {
  const text = url ?? fromBundler() ?? origin;
  if (text === undefined) throw new TypeError('tidings: name the server by the option `url`');
  const absolute = new URL(text, origin);
  if (!/^(http|ws)s?:$/.test(absolute.protocol)) throw new TypeError(`tidings: no address of a server: ${text}`);
  return absolute.href
    .replace(/^ws/, 'http')
    .replace(/[?#].*$/, '')
    .replace(/\/+$/, '');
}
