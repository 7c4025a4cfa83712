// What a runtime can do.

/** Whether this runtime can read server-sent events: by `EventSource`, or by `fetch` with streams. */
export function isSSESupported(): boolean {
  if (typeof EventSource === 'function') return true;
  return typeof fetch === 'function' && typeof Response === 'function' && 'body' in Response.prototype;
}
