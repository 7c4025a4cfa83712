import type { Draft as WireDraft } from './generated.ts';

/** An event to be published, as programs have it: a member that is `undefined` is as if it were not there. */
export type Draft<Data = unknown> = {
  readonly [Member in keyof WireDraft<Data>]: WireDraft<Data>[Member] | Absent<WireDraft<Data>, Member>;
};

/** What stands for a member that may be left out. */
type Absent<Shape, Member extends keyof Shape> = object extends Pick<Shape, Member> ? undefined : never;
