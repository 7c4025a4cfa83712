// How much the hooks bring to a page: minified, without React and without what is loaded later; gzip.

import { gzipSync } from 'node:zlib';
import { rolldown } from 'rolldown';
import { describe, expect, test } from 'vitest';

const BUDGET = 8000;
const REACT = [/^react($|\/)/];
const CLIENT = [/^@tidings\/client($|\/)/];

async function sizeOf(external: readonly RegExp[]): Promise<number> {
  const cwd = new URL('..', import.meta.url).pathname;
  const sources = (file: string) => new URL(`../../client/src/${file}`, import.meta.url).pathname;
  const build = await rolldown({
    input: 'src/index.ts',
    cwd,
    platform: 'browser',
    external: [...external],
    resolve: {
      alias: { '@tidings/client/casts': sources('casts/index.ts'), '@tidings/client': sources('index.ts') },
    },
    logLevel: 'silent',
  });
  const { output } = await build.generate({ format: 'esm', minify: true });
  const chunks = new Map(output.flatMap((chunk) => (chunk.type === 'chunk' ? [[chunk.fileName, chunk] as const] : [])));
  const first = [...chunks.values()].find(({ isEntry }) => isEntry);
  const [names, seen] = [[first?.fileName ?? ''], new Set<string>()];
  let bytes = 0;
  for (let name = names.pop(); name !== undefined; name = names.pop()) {
    const chunk = chunks.get(name);
    if (chunk === undefined || seen.has(name)) continue;
    seen.add(name);
    bytes += gzipSync(chunk.code, { level: 9 }).length;
    names.push(...chunk.imports);
  }
  await build.close();
  return bytes;
}

describe('sizes', () => {
  test(`the hooks have at most ${BUDGET} bytes`, async () => {
    const alone = await sizeOf([...REACT, ...CLIENT]);
    const withClient = await sizeOf(REACT);
    console.log(`the hooks: ${alone} of ${BUDGET} bytes (gzip); with the client's core and casts: ${withClient}`);
    expect(alone).toBeGreaterThan(1000);
    expect(withClient).toBeGreaterThan(alone);
    expect(alone).toBeLessThanOrEqual(BUDGET);
  });
});
