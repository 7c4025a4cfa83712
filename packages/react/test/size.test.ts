// How much the hooks bring to a page: minified, without React and without what is loaded later; gzip.

import { sizeOf } from '@tidings/testkit/size';
import { describe, expect, test } from 'vitest';

const BUDGET = 8000;
const REACT = [/^react($|\/)/];
const CLIENT = [/^@tidings\/client($|\/)/];

const cwd = new URL('..', import.meta.url).pathname;
const source = (file: string) => new URL(`../../client/src/${file}`, import.meta.url).pathname;
const alias = { '@tidings/client/casts': source('casts/index.ts'), '@tidings/client': source('index.ts') };

describe('sizes', () => {
  test(`the hooks have at most ${BUDGET} bytes`, async () => {
    const alone = await sizeOf('src/index.ts', { cwd, external: [...REACT, ...CLIENT], resolve: { alias } });
    const withClient = await sizeOf('src/index.ts', { cwd, external: REACT, resolve: { alias } });
    console.log(`the hooks: ${alone} of ${BUDGET} bytes (gzip); with the client's core and casts: ${withClient}`);
    expect(alone).toBeGreaterThan(1000);
    expect(withClient).toBeGreaterThan(alone);
    expect(alone).toBeLessThanOrEqual(BUDGET);
  });
});
