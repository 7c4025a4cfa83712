// A case with something in it made wrong: whoever plays it must notice.

import type { Case, Json, Members, Step } from './cases.ts';

/** A case that nobody can pass, and what was done to it. */
export interface Mutant {
  readonly what: string;
  readonly mutated: Case;
}

function changed(one: Case, index: number, step: Step): Case {
  return { ...one, steps: one.steps.map((old, at) => (at === index ? step : old)) };
}

const OTHER = '000000000003V.DHB2KD7';

/** Every mutant of a case. */
export function mutantsOf(one: Case): Mutant[] {
  const mutants: Mutant[] = [];
  const said = one.steps.flatMap(({ say }) => (say as Json[] | undefined) ?? []);
  for (const [index, step] of one.steps.entries()) {
    const put = (what: string, step: Step) =>
      mutants.push({ what: `step ${index + 1}: ${what}`, mutated: changed(one, index, step) });
    const { open, poll, say, told, state } = step as { [verb: string]: Json };
    if (open !== undefined) put('another since', { ...step, open: { ...(open as Members), since: OTHER } });
    if (poll !== undefined) put('another after', { ...step, poll: { ...(poll as Members), after: OTHER } });
    const other = { gap: { reason: 'overflow', channels: ['other'], through: OTHER } };
    if (Array.isArray(told) && told.length > 0) put('something else told', { told: told.with(-1, other) });
    if (state !== undefined) put('another state', { state: state === 'closed' ? 'refused' : 'closed' });
    if (!Array.isArray(say)) continue;
    const last = say.findLast((block) => typeof block === 'string');
    if (last === undefined || said.filter((block) => block === last).length > 1) continue;
    put('an event left out', { ...step, say: say.filter((block) => block !== last) });
  }
  return mutants;
}
