import { defineConfig } from 'tsdown';
import { library } from '../tsdown.base.ts';

export default defineConfig({
  ...library({ index: 'src/index.ts' }, 'neutral'),
  // React's server components take these hooks for what they are: a part of the page.
  banner: { js: "'use client';" },
});
