// A page's script, bundled from the packages' sources.

import { rolldown } from 'rolldown';

const PACKAGES = new URL('../../..', import.meta.url).pathname;

/** What the packages are, by their source. */
export const SOURCES = {
  '@tidings/client/casts': `${PACKAGES}client/src/casts/index.ts`,
  '@tidings/client': `${PACKAGES}client/src/index.ts`,
  '@tidings/react': `${PACKAGES}react/src/index.ts`,
} as const;

/** Which React: `development` mounts twice in StrictMode and warns. */
export type Mode = 'development' | 'production';

/** Bundles a module (its path) for browsers. */
export async function bundle(entry: string, mode: Mode): Promise<string> {
  const build = await rolldown({
    input: entry,
    cwd: `${PACKAGES}react`,
    platform: 'browser',
    logLevel: 'silent',
    resolve: { alias: { ...SOURCES } },
    transform: { define: { 'process.env.NODE_ENV': JSON.stringify(mode) } },
  });
  const { output } = await build.generate({ format: 'esm', codeSplitting: false });
  await build.close();
  return output[0].code;
}
