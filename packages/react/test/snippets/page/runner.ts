// As much of a test runner as the documents' snippet needs, in a page.

import { told } from './told.ts';

export function expect(value: unknown) {
  return {
    toBe(expected: unknown): void {
      if (!Object.is(value, expected)) throw new Error(`${String(value)} is not ${String(expected)}`);
    },
  };
}

/** Keeps a test until it is asked for by its name; what it came to is then in `told.tests`. */
export function test(name: string, body: () => Promise<void>): void {
  told.functions[name] = async () => {
    told.tests[name] = await body().then(
      () => null,
      (error) => String(error),
    );
  };
}
