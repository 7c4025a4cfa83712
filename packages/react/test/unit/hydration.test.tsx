// @vitest-environment happy-dom
// A page that a server rendered becomes live without a warning.

import { act } from '@testing-library/react';
import { TidingsProvider, useCastEvents, useChannel, useConnectionStatus } from '@tidings/react';
import { hydrateRoot } from 'react-dom/client';
import { renderToString } from 'react-dom/server';
import { expect, test } from 'vitest';
import { cast, FakeClient } from './support/fake-client.ts';
import { frame, pageOf, pass, withFakeClock } from './support/render.tsx';

withFakeClock();

test('hydrates with what the server rendered, then shows what is known', async () => {
  const client = new FakeClient();
  const errors: unknown[] = [];
  function Detail() {
    const { lastEvent } = useCastEvents({ castId: 'c1' });
    const { isConnected } = useChannel('doc');
    return <p>{`${lastEvent?.status ?? '-'} ${isConnected} ${useConnectionStatus().state}`}</p>;
  }
  const tree = (
    <TidingsProvider client={client}>
      <Detail />
    </TidingsProvider>
  );
  const html = renderToString(tree);
  expect(html).toBe('<p>- false idle</p>');
  // Another part of the page is live already: the client knows more than the server did.
  pageOf(client, <Detail />);
  await frame();
  client.on('cast:c1').snapshot(cast('c1')).open();
  client.on('doc').open();
  await frame();
  const container = document.createElement('div');
  container.innerHTML = html;
  let unmount = () => {};
  act(() => {
    const root = hydrateRoot(container, tree, { onRecoverableError: (error) => errors.push(error) });
    unmount = () => root.unmount();
  });
  await frame();
  expect(container.textContent).toBe('queued true connected');
  expect(errors).toEqual([]);
  expect(client.all).toHaveLength(2);
  act(unmount);
  await pass(100);
});
