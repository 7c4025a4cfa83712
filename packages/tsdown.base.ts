// How every package is built: ES modules, types and source maps beside each other, nothing bundled that a user installs.

import type { UserConfig } from 'tsdown';

/** The build of a library: one file for each entry, named as the entry is. */
export function library(entry: Record<string, string>, platform: 'neutral' | 'node' | 'browser'): UserConfig {
  return {
    entry,
    platform,
    format: 'esm',
    target: 'es2022',
    outDir: 'dist',
    clean: true,
    dts: { sourcemap: true },
    sourcemap: true,
    treeshake: true,
    fixedExtension: false,
    hash: false,
  };
}
