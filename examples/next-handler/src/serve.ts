// Runs route handlers on Node's own HTTP server: what Next.js does for them, as far as this example needs it.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

type Handler = (request: Request, context: { readonly params: Promise<{ readonly id: string }> }) => Promise<Response>;

/** Largest body that is read, in bytes. */
const BODY_BYTES = 100 * 1024;

/** A server whose `/api/casts/{id}` is answered by the handler named like the method. */
export function serve(handlers: Readonly<Record<string, unknown>>): Server {
  return createServer((request, response) => {
    answer(handlers, request)
      .then((answered) => send(answered, response))
      .catch((error) => {
        console.error(error);
        response.writeHead(500).end();
      });
  });
}

async function answer(handlers: Readonly<Record<string, unknown>>, request: IncomingMessage): Promise<Response> {
  const url = new URL(request.url ?? '/', 'http://localhost');
  const id = /^\/api\/casts\/([^/]+)$/.exec(url.pathname)?.[1];
  if (id === undefined) return new Response(null, { status: 404 });
  const method = request.method ?? 'GET';
  const handler = handlers[method];
  if (typeof handler !== 'function') return new Response(null, { status: 405 });
  const body = await read(request);
  if (body === undefined) return new Response(null, { status: 413 });
  const sent = new Request(url, { method, ...(body === '' ? {} : { body }) });
  return (handler as Handler)(sent, { params: Promise.resolve({ id: decodeURIComponent(id) }) });
}

async function read(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength;
    if (bytes > BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

async function send(answered: Response, response: ServerResponse): Promise<void> {
  response.writeHead(answered.status, Object.fromEntries(answered.headers));
  response.end(Buffer.from(await answered.arrayBuffer()));
}
