// Tokens of an issuer that tests configure.

import { createHmac, randomUUID } from 'node:crypto';

const SECRET = 'a-secret-of-tests-which-is-long-enough-0123456789';

/** The issuer, as configuration. */
export const ISSUER = `
[[auth.issuers]]
name = "tests"
issuer = "tests"
audience = "tidings"
algorithms = ["HS256"]
keys = [{ algorithm = "HS256", secret = "${SECRET}" }]
`;

function part(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

/** A token for a user that may follow everything but apps' channels, good for so many seconds. */
export function tokenFor(subject: string, seconds: number, subscribe: readonly string[] = ['tests:*']): string {
  const exp = Math.floor(Date.now() / 1000) + seconds;
  const claims = { iss: 'tests', aud: 'tidings', sub: subject, exp, jti: randomUUID(), tidings: { subscribe } };
  const head = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `${head}.${createHmac('sha256', SECRET).update(head).digest('base64url')}`;
}
