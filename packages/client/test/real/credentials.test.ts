// Credentials and refusals against the real server.

import { Server } from '@tidings/testkit';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { followCast } from '../../src/casts/index.ts';
import { Collector } from '../support/collector.ts';
import { clientOf, closeClients, IN_NODE } from '../support/matrix.ts';
import { publishNumbers } from '../support/publish.ts';
import { ISSUER, tokenFor } from '../support/token.ts';

let server: Server;
let key: string;
beforeAll(async () => {
  server = await Server.start(`stream.heartbeat = "1s"\n${ISSUER}`);
  key = (await server.key()).key;
});
afterEach(closeClients);
afterAll(() => server?.stop());

async function until(what: string, holds: () => boolean): Promise<void> {
  const end = Date.now() + 25_000;
  while (!holds()) {
    if (Date.now() > end) throw new Error(`still waiting for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

for (const transport of IN_NODE) {
  describe(transport, () => {
    const channel = `tests:${transport}`;

    test('a credential that ends soon is renewed; the stream lives on', async () => {
      const seen = new Collector();
      const asked: boolean[] = [];
      let endsAt = 0;
      const auth = ({ fresh }: { fresh: boolean }) => {
        asked.push(fresh);
        // Half of it is left when it is renewed, which is enough on a busy machine.
        if (asked.length === 1) endsAt = Date.now() + 8000;
        return tokenFor('ann', asked.length === 1 ? 8 : 3600);
      };
      const client = clientOf(transport, { url: server.url, auth, heartbeat: 1000, watchdog: 15_000 });
      await client.subscribe(channel, seen).ready;
      const ids = await publishNumbers(server, key, channel, 1);
      await until('another credential', () => asked.length > 1);
      await until('the end of the first one', () => Date.now() > endsAt + 1000);
      ids.push(...(await publishNumbers(server, key, channel, 1)));
      await seen.count(2);
      expect(seen.ids).toEqual(ids);
      expect(asked).toEqual([false, true]);
      expect(client.status.state).toBe('connected');
      // A poll has its credential in each request, and learns by a refusal that another one is needed.
      if (transport !== 'poll')
        expect(seen.statuses.filter(({ state }) => state !== 'connected' && state !== 'connecting')).toEqual([]);
    });

    test('without a valid one it is refused; a right one starts anew', async () => {
      const seen = new Collector();
      let given = 'tdk_wrong';
      const client = clientOf(transport, { url: server.url, auth: () => given });
      const subscription = client.subscribe(channel, seen);
      await seen.until(() => client.status.state === 'refused');
      expect(client.status).toMatchObject({ error: { code: 'unauthenticated' }, nextAttemptAt: null });
      given = key;
      client.reconnect();
      await subscription.ready;
      expect(client.status).toMatchObject({ state: 'connected', error: null });
    });

    test('a revoked key ends the stream for good', async () => {
      const seen = new Collector();
      const revoked = await server.key();
      const client = clientOf(transport, { url: server.url, auth: revoked.key });
      await client.subscribe(channel, seen).ready;
      await server.command('key', 'revoke', revoked.id);
      await seen.until(() => client.status.state === 'refused');
      expect(client.status.error?.code).toBe('revoked');
    });

    test("an auth that throws is the network's failure, one that gives nothing a refusal", async () => {
      const seen = new Collector();
      const answers: (() => string)[] = [
        () => {
          throw new Error('away');
        },
        () => '',
      ];
      const auth = () => (answers.shift() ?? (() => key))();
      const client = clientOf(transport, { url: server.url, auth });
      const { ready } = client.subscribe(channel, seen);
      await seen.until(() => client.status.state === 'reconnecting');
      expect(client.status.error).toMatchObject({ code: 'auth_failed', message: 'away' });
      // A fresh one is asked for before it is given up.
      await ready;
      expect(client.status.state).toBe('connected');
    });
  });
}

describe('credentials that end', () => {
  for (const transport of ['websocket', 'sse'] as const) {
    test(`${transport}: one that is good for less than the notice is renewed now and then, not again and again`, async () => {
      const seen = new Collector();
      const channel = `tests:short:${transport}`;
      let asked = 0;
      const auth = () => {
        asked += 1;
        return tokenFor('ann', 6);
      };
      const begun = Date.now();
      const client = clientOf(transport, { url: server.url, auth, heartbeat: 1000 });
      await client.subscribe(channel, seen).ready;
      const ids: string[] = [];
      for (const end = Date.now() + 25_000; asked < 4; ) {
        if (Date.now() > end) throw new Error(`asked ${asked} times`);
        ids.push(...(await publishNumbers(server, key, channel, 1)));
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
      await seen.count(ids.length);
      expect(seen.ids).toEqual(ids);
      const seconds = (Date.now() - begun) / 1000;
      console.log(`${transport}: asked ${asked} times for credentials of 6 seconds, in ${seconds} seconds`);
      // Each is good for five seconds at least, and renewed in the middle of that.
      expect(asked).toBeLessThan(3 + seconds / 2);
      expect(seen.gaps).toEqual([]);
    });
  }

  for (const transport of IN_NODE) {
    test(`${transport}: an auth that has nothing but what has ended is asked twice, and no more`, async () => {
      const seen = new Collector();
      const asked: boolean[] = [];
      const auth = ({ fresh }: { fresh: boolean }) => {
        asked.push(fresh);
        return tokenFor('ann', -60);
      };
      const client = clientOf(transport, { url: server.url, auth });
      client.subscribe('tests:ended', seen);
      await seen.until(() => client.status.state === 'refused');
      await new Promise((resolve) => setTimeout(resolve, 300));
      expect(asked).toEqual([false, true]);
      expect(client.status).toMatchObject({
        state: 'refused',
        error: { code: 'unauthenticated' },
        nextAttemptAt: null,
      });
    });
  }

  test('a record is read with a fresh one where the one at hand has ended meanwhile', async () => {
    const said = await fetch(`${server.url}/api/casts/ends/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}` },
      body: JSON.stringify({ type: 'STARTED', data: { startedAt: new Date() }, userId: 'tests|ann' }),
    });
    expect(said.status).toBe(200);
    const asked: boolean[] = [];
    const auth = ({ fresh }: { fresh: boolean }) => {
      asked.push(fresh);
      return tokenFor('ann', fresh ? 3600 : -60);
    };
    const client = clientOf('sse', { url: server.url, auth });
    const failures: Error[] = [];
    const following = followCast(client, 'ends', { onFailure: (error) => failures.push(error) });
    const answers = await Promise.all(Array.from({ length: 20 }, () => client.fetch('/api/casts/ends')));
    await following.ready;
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect((await client.ticket(['tests:a'])).ticket).not.toBe('');
    expect([following.cast?.status, failures, asked]).toEqual(['running', [], [false, true]]);
  });

  test('a record that no credential is good for is refused once', async () => {
    let asked = 0;
    const auth = () => {
      asked += 1;
      return tokenFor('ann', -60);
    };
    const client = clientOf('sse', { url: server.url, auth });
    const failures: Error[] = [];
    const following = followCast(client, 'ends', { onFailure: (error) => failures.push(error) });
    await expect(following.ready).rejects.toMatchObject({ status: 401 });
    expect([failures.length, asked]).toEqual([1, 2]);
    await expect(client.ticket(['tests:a'])).rejects.toMatchObject({ status: 401 });
  });
});

describe('refusals for now', () => {
  for (const transport of ['websocket', 'sse'] as const) {
    test(`${transport}: too many streams is waited out`, async () => {
      const narrow = await Server.start('limits.streams_per_key = 1\n');
      try {
        const { key } = await narrow.key();
        const [first, second] = [new Collector(), new Collector()];
        const one = clientOf(transport, { url: narrow.url, auth: key });
        const two = clientOf(transport, { url: narrow.url, auth: key });
        await one.subscribe('a', first).ready;
        const begun = Date.now();
        const { ready } = two.subscribe('a', second);
        await second.until(() => two.status.state === 'reconnecting');
        expect(two.status.error?.code).toBe('too_many_streams');
        expect((two.status.nextAttemptAt ?? 0) - begun).toBeGreaterThan(4000);
        one.close();
        await ready;
        expect(two.status.state).toBe('connected');
      } finally {
        closeClients();
        await narrow.stop();
      }
    });
  }
});
