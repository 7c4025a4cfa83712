// The exchanges of `conformance/cases`, with this client on their one side, and the proof that they can fail.

import { describe, expect, test } from 'vitest';
import { allCases, type Case, table } from './cases.ts';
import { mutantsOf } from './mutants.ts';
import { play } from './play.ts';

/** What this client can do, of what cases may need. */
const ABILITIES = ['change', 'renewal', 'parts', 'poll', 'tickets', 'snapshot', 'again'];
const TRANSPORTS = ['sse', 'websocket', 'poll', 'eventsource'];

/** What this client does otherwise than a case says, and why that is so. One that holds again fails here: take it out. */
const OTHERWISE: { readonly [name: string]: string } = {};

const cases = allCases().filter(
  (one) => one.for.includes('clients') && one.needs.every((need) => ABILITIES.includes(need)),
);
const plays = cases.flatMap((one) =>
  one.over.filter((over) => TRANSPORTS.includes(over)).map((over) => ({ one, over })),
);

describe.concurrent('exchanges', () => {
  for (const { one, over } of plays) {
    const name = `${one.file} over ${over}: ${one.name}`;
    const why = OTHERWISE[one.name];
    if (why === undefined) test(name, () => play(one, over));
    else test.fails(`${name} (${why})`, () => play(one, over, 1000));
  }
});

/** The exchange that a row of the table of codes stands for. */
function refusal({ code, status, client, at, retryAfter }: { readonly [member: string]: unknown }): Case {
  const refuse = { code, status, ...(at !== undefined && { at }), ...(retryAfter !== undefined && { retryAfter }) };
  const opened = { channels: ['a'], since: 'start' };
  const later = { channels: ['a'], since: '<0>' };
  const data = { session: '<s1>', resumed: false, channels: ['a'], head: '<0>' };
  // The first credential is a fresh one to some clients: it must have opened a stream before.
  const renews = [
    { open: opened },
    { say: [{ id: '<0>', event: '$ready', data }] },
    { state: 'connected' },
    { cut: true },
    { open: { ...later, credential: 'first' }, refuse },
    { open: { ...later, credential: 'second' } },
  ];
  const again = [
    { open: opened, refuse },
    { open: opened, most: 5000 },
  ];
  const told = at === undefined ? [] : [{ told: [{ refused: { channel: 'a', code } }] }];
  const stops = [{ open: opened, refuse }, ...told, { quiet: 200 }];
  const steps = [{ follow: opened }, ...({ renews, again, stops }[String(client)] ?? [])];
  const parts = { over: ['sse'], for: ['clients'], needs: [], base: '', client: { renews: client === 'renews' } };
  return { name: String(code), file: 'errors.json', ...parts, steps: steps as never };
}

describe.concurrent('codes', () => {
  for (const row of table('errors').rows.filter(({ client }) => client !== 'open')) {
    test(`${row['status']} ${row['code']}: ${row['client']}`, () => play(refusal(row), 'sse'));
  }
});

/** Those of them that nobody should pass and that pass all the same; so many are played at once. */
async function passing(all: readonly { one: Case; over: string; what: string }[], limit: number, lanes: number) {
  const left = [...all];
  const passed: string[] = [];
  const lane = async () => {
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const { one, over, what } = next;
      const name = `${one.file} over ${over}: ${one.name}: ${what}`;
      // On a busy machine a client may not have got to what it should not do: it is given more time for that.
      const again = () => play(one, over, 4 * limit, 10);
      await play(one, over, limit)
        .then(again)
        .then(
          () => passed.push(name),
          () => {},
        );
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return passed;
}

test('each row can fail', async () => {
  const others: { readonly [client: string]: string } = { again: 'stops', stops: 'again', renews: 'again' };
  const wrong = table('errors').rows.flatMap((row) => {
    const client = others[String(row['client'])];
    return client === undefined ? [] : [{ one: refusal({ ...row, client }), over: 'sse', what: client }];
  });
  expect(wrong.length).toBeGreaterThan(30);
  // Where a client is to be quiet it must have had the time not to be.
  expect(await passing(wrong, 1000, 4)).toEqual([]);
}, 300_000);

test('each case can fail', async () => {
  const mutants = plays.flatMap(({ one, over }) => {
    const found = mutantsOf(one);
    expect(found.length, `${one.file}: ${one.name} has nothing that can be made wrong`).toBeGreaterThan(0);
    return found.map(({ what, mutated }) => ({ one: mutated, over, what }));
  });
  const passed = await passing(mutants, 250, 24);
  console.log(
    `${plays.length} plays of ${cases.length} cases; ${mutants.length} mutants, of which ${passed.length} passed`,
  );
  expect(passed).toEqual([]);
}, 300_000);
