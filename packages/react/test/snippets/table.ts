// Every snippet of the two documents on casts that is TypeScript or JavaScript, and how it is made to run.

/**
 * What a snippet is put into, since many show a part of a file. The text itself stays as it is.
 *
 * - `component`: a whole component, which the frame exports.
 * - `body`: calls a hook, as the body of a component does. The component begins after the imports, and draws what the
 *   names in `shows` stand for.
 * - `module`: a module, which may await.
 * - `switch`: cases of a `switch` over an action.
 * - `console`: typed into the browser's console.
 */
export type Frame =
  | { readonly kind: 'component'; readonly name: string; readonly insert?: Inserted }
  | { readonly kind: 'body'; readonly shows: readonly string[] }
  | { readonly kind: 'module' | 'switch' | 'console' };

/** A line that the frame puts before the one line that begins so, for what cannot be reached from outside. */
export interface Inserted {
  readonly before: string;
  readonly line: string;
}

/** A snippet, in `loose/` as the document has it, in `strict/` as a careful user would write it. */
export interface Snippet {
  readonly file: string;
  readonly document: 1 | 2;
  readonly heading: string;
  readonly runs: 'page' | 'node' | 'console';
  readonly frame: Frame;
  /** Where the document has dots, which are no TypeScript: what stands for them, in order. As written it is left out. */
  readonly dots?: readonly (readonly [written: string, filled: string])[];
}

const component = (name: string, insert?: Inserted): Frame => ({ kind: 'component', name, ...(insert && { insert }) });

export const SNIPPETS: readonly Snippet[] = [
  {
    file: 'basic-usage.tsx',
    document: 1,
    heading: 'Basic Usage',
    runs: 'page',
    frame: component('MyCastComponent'),
  },
  {
    file: 'all-handlers.tsx',
    document: 1,
    heading: 'With All Event Handlers',
    runs: 'page',
    frame: { kind: 'body', shows: ['isConnected', 'lastEvent', 'lastUpdate', 'error'] },
  },
  {
    file: 'status-only.tsx',
    document: 1,
    heading: 'Simple Status-Only Hook',
    runs: 'page',
    frame: component('SimpleCast'),
  },
  {
    file: 'polling.tsx',
    document: 1,
    heading: 'Polling Fallback (for old browsers)',
    runs: 'page',
    frame: component('CastWithFallback'),
  },
  {
    file: 'publish-from-routes.ts',
    document: 1,
    heading: 'Publishing Events from API Routes',
    runs: 'node',
    frame: { kind: 'module' },
  },
  {
    file: 'publish-from-webhooks.ts',
    document: 1,
    heading: 'Publishing from GitHub Webhooks',
    runs: 'node',
    frame: { kind: 'switch' },
    dots: [
      ['publishCastCompleted(...)', 'publishCastCompleted(...completed)'],
      ['publishCastFailed(...)', 'publishCastFailed(...failed)'],
    ],
  },
  {
    file: 'publish-manually.ts',
    document: 1,
    heading: 'Manual Event Publishing',
    runs: 'node',
    frame: { kind: 'module' },
    dots: [['update({ ... })', 'update({ ...change })']],
  },
  {
    file: 'event-source.js',
    document: 1,
    heading: 'Test with EventSource in Browser Console',
    runs: 'console',
    frame: { kind: 'console' },
  },
  {
    file: 'unit-testing.ts',
    document: 1,
    heading: 'Unit Testing Components',
    runs: 'page',
    frame: { kind: 'module' },
  },
  {
    file: 'loading-state.tsx',
    document: 1,
    heading: 'Loading State',
    runs: 'page',
    frame: component('CastWithLoading'),
  },
  {
    file: 'optimistic-updates.tsx',
    document: 1,
    heading: 'Optimistic Updates',
    runs: 'page',
    // The snippet has no button that would call it.
    frame: component('CastWithOptimistic', { before: '  return <div>', line: '  expose({ handleCancel });' }),
  },
  {
    file: 'multiple-casts.tsx',
    document: 1,
    heading: 'Multiple Casts',
    runs: 'page',
    frame: component('CastList'),
  },
  {
    file: 'summary-publishing.ts',
    document: 2,
    heading: 'Backend - Publishing Events',
    runs: 'node',
    frame: { kind: 'module' },
  },
  {
    file: 'summary-subscribing.tsx',
    document: 2,
    heading: 'Frontend - Subscribing',
    runs: 'page',
    frame: { kind: 'body', shows: ['isConnected', 'lastEvent'] },
  },
];

/** What stands in fences of the documents and is neither: nothing here runs it. */
export const LEFT_OUT: readonly (readonly [what: string, why: string])[] = [
  ['1, Test SSE Endpoint with curl', 'a shell command'],
  ['1, Environment Variables', 'settings of the server'],
  ['2, Event Flow', 'a drawing'],
  ['2, Message Format (status, progress, complete)', 'frames of a stream, broken over lines for reading'],
  ['2, Server Logs', "lines of the server's log"],
  ['2, Audit Log Queries', 'SQL'],
  ['2, Manual Testing', 'a shell command'],
  ['2, Environment Variables', 'settings of the server'],
];
