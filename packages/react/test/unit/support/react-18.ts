// Has everything that asks for React get React 18: what vitest does not transform asks Node.

import Module, { createRequire } from 'node:module';

type Resolve = (request: string, ...rest: unknown[]) => string;

const own = Module as unknown as { _resolveFilename: Resolve };
const resolve = own._resolveFilename;
own._resolveFilename = function (this: unknown, request, ...rest) {
  const old = request.replace(/^(react|react-dom)(?=\/|$)/, '$1-18');
  return resolve.call(this, old, ...rest);
};

const { version } = createRequire(import.meta.url)('react') as { version: string };
if (!version.startsWith('18.')) throw new Error(`this is React ${version}`);
