// @vitest-environment happy-dom
// A cast that is read at intervals.

import { type CastPollingOptions, type CastPollingResult, useCastPolling } from '@tidings/react';
import { describe, expect, test } from 'vitest';
import { cast, FakeClient, type FakeRequest } from './support/fake-client.ts';
import { frame, pageOf, pass, withFakeClock } from './support/render.tsx';

withFakeClock();

function poller() {
  const told: string[] = [];
  const results: CastPollingResult[] = [];
  function Poller({ castId = 'c1', ...options }: CastPollingOptions & { castId?: string | null }) {
    const onUpdate: CastPollingOptions['onUpdate'] = ({ status, version }) => told.push(`${status} ${version}`);
    results.push(useCastPolling(castId, { onUpdate, ...options }));
    return null;
  }
  return { told, Poller, result: () => results.at(-1) as CastPollingResult };
}

const last = (client: FakeClient) => client.requests.at(-1) as FakeRequest;

describe('useCastPolling', () => {
  test('reads every 5 s, tells of new versions alone, and stops at the end', async () => {
    const client = new FakeClient();
    const { told, Poller, result } = poller();
    const page = pageOf(client, <Poller />, true);
    expect(result()).toMatchObject({ cast: null, isPolling: true, error: null });
    await frame();
    expect(client.requests.map(({ path }) => path)).toEqual(['/api/casts/c1']);
    last(client).answer(200, cast('c1', { version: 1 }));
    await frame();
    expect(result()).toMatchObject({ cast: { status: 'queued' }, isPolling: true });
    await pass(4900);
    expect(client.requests).toHaveLength(1);
    await pass(100);
    expect(client.requests).toHaveLength(2);
    const before = result().cast;
    last(client).answer(200, cast('c1', { version: 1 }));
    await frame();
    expect(result().cast).toBe(before);
    page.show(<Poller interval={5000} />);
    await pass(5000);
    last(client).answer(200, cast('c1', { status: 'succeeded', version: 2 }));
    await frame();
    expect(told).toEqual(['queued 1', 'succeeded 2']);
    expect(result()).toMatchObject({ cast: { status: 'succeeded' }, isPolling: false, error: null });
    await pass(600_000);
    expect(client.requests).toHaveLength(3);
  });

  test('many share the requests; a late one is told what is known', async () => {
    const client = new FakeClient();
    const [one, other] = [poller(), poller()];
    const page = pageOf(client, [<one.Poller key="1" />, <one.Poller key="2" />]);
    await frame();
    last(client).answer(200, cast('c1'));
    await frame();
    page.show([<one.Poller key="1" />, <one.Poller key="2" />, <other.Poller key="3" />]);
    await frame();
    expect(client.requests).toHaveLength(1);
    expect(one.told).toEqual(['queued 1', 'queued 1']);
    expect(other.told).toEqual(['queued 1']);
  });

  test('429 is waited out as long as the server says', async () => {
    const client = new FakeClient();
    const { Poller, result } = poller();
    pageOf(client, <Poller interval={1000} />);
    await frame();
    last(client).answer(429, { code: 'rate_limited', detail: 'slower' }, { 'retry-after': '30' });
    await frame();
    expect(result()).toMatchObject({
      isPolling: true,
      error: { code: 'rate_limited', message: 'slower', status: 429 },
    });
    await pass(29_900);
    expect(client.requests).toHaveLength(1);
    await pass(200);
    expect(client.requests).toHaveLength(2);
    last(client).answer(503, 'no problem document', { 'retry-after': new Date(Date.now() + 20_000).toUTCString() });
    await pass(18_500);
    expect(client.requests).toHaveLength(2);
    await pass(2000);
    expect(client.requests).toHaveLength(3);
    last(client).answer(200, cast('c1'));
    await frame();
    expect(result()).toMatchObject({ isPolling: true, error: null });
    await pass(1000);
    expect(client.requests).toHaveLength(4);
  });

  test('failures make it slower, up to a minute', async () => {
    const client = new FakeClient();
    const { Poller, result } = poller();
    pageOf(client, <Poller interval={1000} />);
    await frame();
    for (const wait of [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]) {
      const count = client.requests.length;
      last(client).fail();
      await frame();
      expect(result()).toMatchObject({ isPolling: true, error: { code: 'network' } });
      await pass(wait - 40);
      expect(client.requests).toHaveLength(count);
      await pass(40);
      expect(client.requests).toHaveLength(count + 1);
    }
  });

  test('an answer that does not come, or comes half, is given up', async () => {
    const client = new FakeClient();
    const { Poller, result } = poller();
    pageOf(client, <Poller interval={1000} />);
    await pass(20_050);
    expect(last(client).signal?.aborted).toBe(true);
    expect(result()).toMatchObject({ isPolling: true, error: { code: 'aborted' } });
  });

  for (const status of [401, 403, 404]) {
    test(`${status} ends it`, async () => {
      const client = new FakeClient();
      const { told, Poller, result } = poller();
      pageOf(client, <Poller />);
      await frame();
      last(client).answer(status, { code: 'no' });
      await frame();
      expect(result()).toMatchObject({ cast: null, isPolling: false, error: { code: 'no', status } });
      await pass(600_000);
      expect(client.requests).toHaveLength(1);
      expect(told).toEqual([]);
    });
  }

  test('leaving ends the request that is under way, and nothing is told', async () => {
    const client = new FakeClient();
    const { told, Poller } = poller();
    const page = pageOf(client, <Poller />);
    await frame();
    page.show(null);
    await pass(1100);
    expect(last(client).signal?.aborted).toBe(true);
    last(client).answer(200, cast('c1'));
    await pass(60_000);
    expect(client.requests).toHaveLength(1);
    expect(told).toEqual([]);
  });

  test('enabled and another cast', async () => {
    const client = new FakeClient();
    const { told, Poller, result } = poller();
    const page = pageOf(client, <Poller enabled={false} />);
    page.show(<Poller castId="" />);
    page.show(<Poller castId={null} />);
    await frame();
    expect(client.requests).toEqual([]);
    expect(result().isPolling).toBe(false);
    page.show(<Poller />);
    await frame();
    const old = last(client);
    page.show(<Poller castId="c/2" />);
    await frame();
    expect(last(client).path).toBe('/api/casts/c%2F2');
    old.answer(200, cast('c1'));
    await frame();
    expect(result().cast).toBeNull();
    expect(told).toEqual([]);
  });

  test('an interval that is none is no storm', async () => {
    const client = new FakeClient();
    const { Poller } = poller();
    pageOf(client, <Poller interval={0} />);
    for (let time = 0; time < 1000; time += 10) {
      await pass(10);
      client.requests.at(-1)?.answer(200, cast('c1'));
    }
    expect(client.requests.length).toBeGreaterThan(3);
    expect(client.requests.length).toBeLessThanOrEqual(10);
  });
});
