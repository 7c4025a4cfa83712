// What a WebSocket's close calls for.

import { describe, expect, test } from 'vitest';
import type { Environment } from '../../src/environment.ts';
import type { Failure } from '../../src/failure.ts';
import { Requests } from '../../src/requests.ts';
import { websocket } from '../../src/transports/websocket.ts';

/** How an opening ends that the server refuses by this close. */
async function refused(origin: string | undefined, code: number, reason: string): Promise<Failure> {
  class Refusing {
    onmessage = null;
    onerror = null;
    onclose: ((event: { code: number; reason: string }) => void) | null = null;
    constructor() {
      queueMicrotask(() => this.onclose?.({ code, reason }));
    }
    send() {}
    close() {}
  }
  const environment = { WebSocket: Refusing, fetch: async () => new Response(), origin } as unknown as Environment;
  const requests = new Requests('http://server.test', {}, environment);
  const ask = { all: ['a'], channels: ['a'], types: [], categories: [], since: 'now' } as never;
  return new Promise((closed) => {
    websocket.open(ask, { environment, requests, take: () => {}, closed });
  });
}

describe('wrong_origin', () => {
  test("is a proxy's doing where page and server are one origin: another transport may get through", async () => {
    expect(await refused('http://server.test', 4403, 'wrong_origin')).toMatchObject({
      kind: 'blocked',
      code: 'wrong_origin',
      detail: expect.stringContaining('Host'),
    });
  });

  test('is final for a page of another origin, and for a program', async () => {
    for (const origin of ['http://other.test', undefined]) {
      expect(await refused(origin, 4403, 'wrong_origin')).toMatchObject({ kind: 'forbidden', code: 'wrong_origin' });
    }
  });

  test('is told from other refusals', async () => {
    expect(await refused('http://server.test', 4403, 'forbidden_channel')).toMatchObject({ kind: 'forbidden' });
    expect(await refused('http://server.test', 4401, 'signed_out')).toMatchObject({
      kind: 'auth',
      code: 'signed_out',
      detail: 'the server closed the WebSocket: signed out',
    });
  });
});
