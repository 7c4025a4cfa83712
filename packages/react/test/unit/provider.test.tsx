// @vitest-environment happy-dom
// Which client is used, when it is made, and when it is closed.

import { render } from '@testing-library/react';
import { type ClientOptions, TidingsProvider, useChannel, useClient, useConnectionStatus } from '@tidings/react';
import { StrictMode } from 'react';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { FakeClient } from './support/fake-client.ts';
import { frame, pageOf, pass, withFakeClock } from './support/render.tsx';

const made: { readonly options: ClientOptions; readonly client: FakeClient }[] = [];

vi.mock('@tidings/client', async (original) => ({
  ...(await original<typeof import('@tidings/client')>()),
  createClient: (options: ClientOptions) => {
    const client = new FakeClient();
    made.push({ options, client });
    return client;
  },
}));

withFakeClock();
beforeEach(() => {
  made.length = 0;
  Reflect.deleteProperty(globalThis, Symbol.for('tidings.client'));
});

function Follower({ channel = 'a' }: { channel?: string }) {
  return useChannel(channel).isConnected ? 'live' : 'not live';
}

describe('TidingsProvider', () => {
  test('makes a client when something is followed; a double mount keeps it; it is closed at the end', async () => {
    const tree = (children: React.ReactNode) => (
      <StrictMode>
        <TidingsProvider url="https://a.test">{children}</TidingsProvider>
      </StrictMode>
    );
    const { rerender, unmount } = render(tree(null));
    await pass(5000);
    expect(made).toEqual([]);
    rerender(tree(<Follower />));
    await frame();
    expect(made.map(({ options }) => options)).toEqual([{ url: 'https://a.test' }]);
    rerender(tree(<Follower channel="b" />));
    await pass(60_000);
    expect(made).toHaveLength(1);
    const client = made[0]?.client as FakeClient;
    expect(client.status.state).toBe('connected');
    unmount();
    await pass(1500);
    expect(client.open).toEqual([]);
    expect(client.status.state).toBe('connected');
    await pass(600);
    expect(client.status.state).toBe('closed');
    expect(client.watchers.size).toBe(0);
  });

  test('a double mount that makes a client at once keeps it', async () => {
    render(
      <StrictMode>
        <TidingsProvider url="https://a.test">
          <Follower />
        </TidingsProvider>
      </StrictMode>,
    );
    await pass(10_000);
    expect(made.map(({ client }) => client.status.state)).toEqual(['connected']);
    expect(made[0]?.client.all).toHaveLength(1);
  });

  test('another url is another client; the old one is closed', async () => {
    const tree = (url: string) => (
      <TidingsProvider url={url}>
        <Follower />
      </TidingsProvider>
    );
    const { rerender, container } = render(tree('https://a.test'));
    await frame();
    made[0]?.client.on('a').open();
    await frame();
    expect(container.textContent).toBe('live');
    rerender(tree('https://b.test'));
    expect(container.textContent).toBe('not live');
    await pass(2100);
    expect(made.map(({ options }) => options.url)).toEqual(['https://a.test', 'https://b.test']);
    expect(made.map(({ client }) => client.status.state)).toEqual(['closed', 'connected']);
    made[1]?.client.on('a').open();
    await frame();
    expect(container.textContent).toBe('live');
  });

  test('a function that gives the credential is asked for each; the latest one is', async () => {
    const tree = (auth?: ClientOptions['auth']) => (
      <TidingsProvider url="https://a.test" {...(auth !== undefined && { auth })}>
        <Follower />
      </TidingsProvider>
    );
    const { rerender } = render(tree());
    await frame();
    expect(made[0]?.options).toEqual({ url: 'https://a.test' });
    rerender(tree(() => 'first'));
    await frame();
    const { auth } = made[1]?.options ?? {};
    if (typeof auth !== 'function') throw new Error('auth is asked for');
    expect(auth({ fresh: false })).toBe('first');
    rerender(tree(({ fresh }) => `second ${fresh}`));
    expect(auth({ fresh: true })).toBe('second true');
    await pass(3000);
    expect(made).toHaveLength(2);
  });

  test('another text for a credential is another client: nobody goes on with the rights of somebody else', async () => {
    const tree = (auth: string) => (
      <TidingsProvider url="https://a.test" auth={auth}>
        <Follower />
      </TidingsProvider>
    );
    const { rerender, container } = render(tree('of A'));
    await frame();
    made[0]?.client.on('a').open();
    await frame();
    expect(container.textContent).toBe('live');
    for (const auth of ['of A', '', 'of B']) {
      rerender(tree(auth));
      expect(container.textContent).toBe(auth === 'of A' ? 'live' : 'not live');
      await pass(3000);
    }
    expect(made).toHaveLength(3);
    expect(made.map(({ client }) => client.status.state)).toEqual(['closed', 'closed', 'connected']);
    const asked = made.map(({ options: { auth } }) => typeof auth === 'function' && auth({ fresh: false }));
    expect(asked).toEqual(['of A', '', 'of B']);
  });

  test("an app's own client is used as it is, and left as it is", async () => {
    const client = new FakeClient();
    let seen: unknown;
    function Look() {
      seen = useClient();
      return null;
    }
    const page = pageOf(
      client,
      <>
        <Look />
        <Follower />
      </>,
    );
    expect(seen).toBe(client);
    await frame();
    expect(client.open).toHaveLength(1);
    page.unmount();
    await pass(10_000);
    expect(client.open).toEqual([]);
    expect(client.status.state).toBe('connected');
    expect(made).toEqual([]);
  });

  test('the nearest one counts; the client of useClient works as one', async () => {
    const seen: unknown[] = [];
    function Look() {
      const client = useClient();
      seen.push(client);
      return null;
    }
    render(
      <TidingsProvider url="https://a.test">
        <Look />
        <TidingsProvider url="https://b.test">
          <Look />
        </TidingsProvider>
      </TidingsProvider>,
    );
    const [outer, inner] = seen as ReturnType<typeof useClient>[];
    expect(outer).not.toBe(inner);
    expect(inner?.status.state).toBe('idle');
    expect(made).toEqual([]);
    inner?.subscribe('x', () => {});
    inner?.reconnect();
    void inner?.fetch('/api/casts');
    expect(made.map(({ options }) => options.url)).toEqual(['https://b.test']);
    expect(made[0]?.client).toMatchObject({ reconnects: 1 });
    expect(inner?.status.state).toBe('connected');
  });
});

describe('without a provider', () => {
  test('one client serves all roots of a page, and goes on', async () => {
    const one = render(<Follower />);
    const other = render(<Follower />);
    await frame();
    expect(made.map(({ options }) => options)).toEqual([{ tabs: true }]);
    expect(made[0]?.client.open).toHaveLength(1);
    one.unmount();
    other.unmount();
    await pass(10_000);
    expect(made[0]?.client.open).toEqual([]);
    expect(made[0]?.client.status.state).toBe('connected');
    render(<Follower />);
    await frame();
    expect(made).toHaveLength(1);
  });
});

describe('useConnectionStatus', () => {
  test('is the same object until the status changes', async () => {
    const client = new FakeClient();
    const seen: ReturnType<typeof useConnectionStatus>[] = [];
    function Look() {
      seen.push(useConnectionStatus());
      return null;
    }
    const page = pageOf(client, <Look />, true);
    await frame();
    page.show(<Look />);
    expect(new Set(seen).size).toBe(1);
    expect(seen[0]).toMatchObject({ state: 'connected', attempt: 0 });
    client.become({ state: 'reconnecting', attempt: 1 });
    await frame();
    expect(new Set(seen).size).toBe(2);
    expect(seen.at(-1)).toMatchObject({ state: 'reconnecting', attempt: 1 });
    expect(seen.at(-1)?.reconnect).toBe(seen[0]?.reconnect);
    seen.at(-1)?.reconnect();
    expect(client.reconnects).toBe(1);
    page.unmount();
    await pass(1100);
    expect(client.watchers.size).toBe(0);
  });

  test('says what is so at the first render', () => {
    const client = new FakeClient();
    function Look() {
      return useConnectionStatus().state;
    }
    client.become({ state: 'offline' });
    expect(pageOf(client, <Look />).text).toBe('offline');
  });
});
