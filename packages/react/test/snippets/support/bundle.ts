// Bundles of snippets, with the packages' sources and not what was last built.

import { rolldown } from 'rolldown';
import { framedFiles } from '../frame.ts';

const SNIPPETS = new URL('..', import.meta.url).pathname.replace(/\/$/, '');
const PACKAGES = new URL('../../../../', import.meta.url).pathname;

/** What is imported by these names; the documents' own names too. */
const ALIASES = {
  '@/hooks/useCastEvents': `${PACKAGES}react/src/index.ts`,
  '@/lib/cast-events': `${PACKAGES}publisher/src/index.ts`,
  '@testing-library/react-hooks': '@testing-library/react',
  '@tidings/react': `${PACKAGES}react/src/index.ts`,
  '@tidings/publisher': `${PACKAGES}publisher/src/index.ts`,
  '@tidings/client/casts': `${PACKAGES}client/src/casts/index.ts`,
  '@tidings/client$': `${PACKAGES}client/src/index.ts`,
};

/** One module with everything in it, for an entry with this text; React is its development build. */
export async function bundle(entry: string, platform: 'browser' | 'node'): Promise<string> {
  const at = `${SNIPPETS}/entry.ts`;
  const texts = framedFiles().set(at, entry);
  const build = await rolldown({
    input: at,
    cwd: PACKAGES,
    platform,
    resolve: { alias: ALIASES },
    transform: { define: { 'process.env.NODE_ENV': '"development"' } },
    // The package says that its modules do nothing when they are loaded; those of the snippets do.
    treeshake: false,
    plugins: [{ name: 'framed', resolveId: (id) => (id === at ? at : null), load: (id) => texts.get(id) ?? null }],
    logLevel: 'silent',
  });
  const { output } = await build.generate({ format: 'esm', codeSplitting: false });
  await build.close();
  return output[0].code;
}
