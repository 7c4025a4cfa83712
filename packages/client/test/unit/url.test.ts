import { afterEach, expect, test, vi } from 'vitest';
import { serverUrl } from '../../src/url.ts';

afterEach(() => vi.unstubAllEnvs());

test('what is given goes before all, relative to the page', () => {
  vi.stubEnv('REACT_APP_WEBSOCKET_URL', 'ws://live.test/ws');
  expect(serverUrl('https://a.test/base/', 'https://page.test')).toBe('https://a.test/base');
  expect(serverUrl('wss://a.test', undefined)).toBe('https://a.test');
  expect(serverUrl('/live', 'https://page.test')).toBe('https://page.test/live');
});

test('then what the bundler gives, then the origin', () => {
  expect(serverUrl(undefined, 'https://page.test')).toBe('https://page.test');
  vi.stubEnv('PUBLIC_SERVER_URL', 'http://server.test:3035');
  vi.stubEnv('PUBLIC_SERVER_API_PATH', '/api');
  expect(serverUrl(undefined, 'https://page.test')).toBe('http://server.test:3035');
  vi.stubEnv('PUBLIC_SERVER_API_PATH', '/live/api');
  expect(serverUrl(undefined, 'https://page.test')).toBe('http://server.test:3035/live');
  vi.stubEnv('REACT_APP_WEBSOCKET_URL', 'ws://socket.test:3001/ws');
  expect(serverUrl(undefined, 'https://page.test')).toBe('http://socket.test:3001');
});

test('without any there is no client', () => {
  expect(() => serverUrl(undefined, undefined)).toThrow(/`url`/);
  expect(() => serverUrl('ftp://a.test', undefined)).toThrow('`options.url` is "ftp://a.test"');
});
