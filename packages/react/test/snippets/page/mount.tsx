// Shows the snippet that the page's address names.

import { type ComponentType, StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { type Given, given } from './told.ts';

/** Shows one of these on the page, as a development build does: each component is mounted twice. */
export function mount(components: Readonly<Record<string, ComponentType<Given>>>): void {
  const Snippet = components[location.pathname.replace('/page/', '')];
  const root = document.getElementById('root');
  if (Snippet === undefined || root === null) return;
  createRoot(root).render(
    <StrictMode>
      <Snippet {...given} />
    </StrictMode>,
  );
}
