// Where the server is.

import { refuse } from './check.ts';

/** The variables that a bundler may give. */
interface Given {
  readonly REACT_APP_WEBSOCKET_URL?: string;
  readonly PUBLIC_SERVER_URL?: string;
  readonly PUBLIC_SERVER_API_PATH?: string;
}

declare const process: { readonly env: Given };
type Meta = ImportMeta & { readonly env: Given };

/** The first that the bundler gives. */
function given(...reads: readonly (() => string | undefined)[]): string | undefined {
  for (const read of reads) {
    try {
      const text = read();
      if (text) return text;
    } catch {
      // There is no such thing here.
    }
  }
  return undefined;
}

/**
 * The address in the bundler's environment. Each name is written out, with its dots, because bundlers put the values in
 * the place of this very text.
 */
function fromBundler(): string | undefined {
  const socket = given(
    () => process.env.REACT_APP_WEBSOCKET_URL,
    () => (import.meta as Meta).env.REACT_APP_WEBSOCKET_URL,
  );
  if (socket !== undefined) return socket.replace(/\/ws\/?$/, '');
  const server = given(
    () => process.env.PUBLIC_SERVER_URL,
    () => (import.meta as Meta).env.PUBLIC_SERVER_URL,
  );
  const path = given(
    () => process.env.PUBLIC_SERVER_API_PATH,
    () => (import.meta as Meta).env.PUBLIC_SERVER_API_PATH,
  );
  // The API's path is where the apps' routes are; the server's root is above it.
  return server && server + (path ?? '').replace(/\/api\/?$/, '');
}

/**
 * The server's address, without a slash at its end: what is given, else the bundler's, else the page's origin.
 *
 * @throws TypeError where there is none, or one that is no `http`, `https`, `ws` or `wss` address.
 */
export function serverUrl(url: string | undefined, origin: string | undefined): string {
  const text = url ?? fromBundler() ?? origin;
  if (text === undefined) throw new TypeError('tidings: name the server by the option `url`');
  let href = '';
  try {
    href = new URL(text, origin).href;
  } catch {
    // It is told below.
  }
  // A credential in an address is nothing that `fetch` takes, and is not for messages either.
  if (!/^(http|ws)s?:\/\/[^@/]+\//.test(href)) {
    refuse('options.url', text.replace(/.*@/s, '…@'), 'an http, https, ws or wss address without user and password');
  }
  return href
    .replace(/^ws/, 'http')
    .replace(/[?#].*$/, '')
    .replace(/\/+$/, '');
}
