import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

// The packages as they are in this tree, built or not.
const sources = [
  { find: /^@tidings\/client\/casts$/, replacement: path('../client/src/casts/index.ts') },
  { find: /^@tidings\/client$/, replacement: path('../client/src/index.ts') },
  { find: /^@tidings\/react$/, replacement: path('src/index.ts') },
];

// Tests in Chromium and against the real server start those.
const waits = { testTimeout: 30_000, hookTimeout: 30_000 };

export default defineConfig({
  test: {
    // One file takes minutes and little of a processor: the page on a bad network.
    maxWorkers: 2,
    projects: [
      {
        resolve: { alias: sources },
        test: { name: 'react', include: ['test/**/*.test.{ts,tsx}'], ...waits },
      },
      {
        // The same hooks with the oldest React that they are for.
        resolve: {
          alias: [
            ...sources,
            { find: /^react$/, replacement: path('../node_modules/react-18/index.js') },
            { find: /^react\/jsx-(dev-)?runtime$/, replacement: path('../node_modules/react-18/jsx-$1runtime.js') },
            { find: /^react-dom\/(client|server)$/, replacement: path('../node_modules/react-dom-18/$1.js') },
          ],
        },
        test: {
          name: 'react 18',
          include: ['test/unit/*.test.tsx'],
          setupFiles: ['test/unit/support/react-18.ts'],
          ...waits,
        },
      },
    ],
  },
});
