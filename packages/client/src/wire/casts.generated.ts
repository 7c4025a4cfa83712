// Generated from the Rust types of the wire. Do not edit: change those, then run `cargo xtask ts-types`.

/** A cast's status. */
export type CastStatus =
  /** It waits for its turn. */
  | 'queued'
  /** It is being carried out. */
  | 'running'
  /** It ended well. */
  | 'succeeded'
  /** It ended badly. */
  | 'failed'
  /** It was ended before its end. */
  | 'cancelled';

/** The type of a cast's event on `cast:{id}`; other types are relayed as a backend sent them. */
export type CastEventKind =
  | 'STATUS_CHANGED'
  | 'PROGRESS_UPDATE'
  | 'STARTED'
  | 'COMPLETED'
  | 'FAILED'
  | 'ARTIFACT_READY';

/** The record of a cast. */
export interface Cast {
  /** Its name: 1 to 120 of `A-Z a-z 0-9 . _ ~ @ -`. */
  readonly id: string;
  /** Its owner, for good. */
  readonly userId: string;
  /** Where it stands. */
  readonly status: CastStatus;
  /** How far it is, from 0 to 100, in hundredths. */
  readonly progress: number | null;
  /** What it does just now; at most 2,000 characters. */
  readonly message: string | null;
  /** When it began to run. */
  readonly startedAt: string | null;
  /** When it ended. */
  readonly finishedAt: string | null;
  /** How long it took, in milliseconds. */
  readonly duration: number | null;
  /** What it cost, in cents. */
  readonly costCents: number | null;
  /** What it made: `http` or `https`, at most 2,000 characters. */
  readonly artifactUrl: string | null;
  /** Why it failed; at most 2,000 characters. */
  readonly errorMessage: string | null;
  /** The repository whose workflow carries it out: `owner/name`. */
  readonly repository?: string;
  /** The run of that workflow: 1 to 20 digits. */
  readonly workflowRunId?: string;
  /** When it was created. */
  readonly createdAt: string;
  /** When it was last changed. */
  readonly updatedAt: string;
  /** 1 at its creation, one more with each change. */
  readonly version: number;
}

/** A page of casts. */
export interface CastList {
  /** The newest first. */
  readonly items: readonly Cast[];
  /** For the parameter `cursor` of the next page; `null` at the end. */
  readonly nextCursor: string | null;
  /** Where casts were named by `id`: those that cannot be given. */
  readonly refused?: readonly CastRefusal[];
}

/** A cast that was named and cannot be given. */
export interface CastRefusal {
  /** Its name. */
  readonly id: string;
  /** `not_found`, or `forbidden` where it is another user's. */
  readonly code: string;
}

/** What can be said of a cast; what is left out or `null` stays as it is. */
export interface CastFields {
  /** Where it stands. */
  readonly status?: CastStatus;
  /** How far it is, from 0 to 100; finer steps than a hundredth are rounded. */
  readonly progress?: number;
  /** What it does just now; at most 2,000 characters. */
  readonly message?: string;
  /** When it began: RFC 3339 with its offset from UTC. */
  readonly startedAt?: string;
  /** When it ended. */
  readonly finishedAt?: string;
  /** How long it took, in whole milliseconds. */
  readonly duration?: number;
  /** What it cost, in whole cents. */
  readonly costCents?: number;
  /** What it made: `http` or `https`, at most 2,000 characters. */
  readonly artifactUrl?: string;
  /** Why it failed; at most 2,000 characters. */
  readonly errorMessage?: string;
  /** The repository whose workflow carries it out: `owner/name`, at most 140 characters. */
  readonly repository?: string;
  /** The run of that workflow: 1 to 20 digits. */
  readonly workflowRunId?: string | number;
}

/** `status`: the cast has this status; at its end too. */
export interface CastStatusFrame {
  /** Which cast. */
  readonly castId: string;
  /** Where it stands. */
  readonly status: CastStatus;
  /** When it began to run. */
  readonly startedAt?: string;
  /** When this was so. */
  readonly timestamp: string;
}

/** `progress`: it got further. */
export interface CastProgressFrame {
  /** Which cast. */
  readonly castId: string;
  /** How far it is, from 0 to 100, in hundredths. */
  readonly progress: number;
  /** What it does just now. */
  readonly message?: string;
  /** When this was so. */
  readonly timestamp: string;
}

/** `complete`: it succeeded. */
export interface CastCompleteFrame {
  /** Which cast. */
  readonly castId: string;
  /** Where it stands. */
  readonly status: 'succeeded';
  /** How long it took, in milliseconds; `null` while not known. */
  readonly duration: number | null;
  /** What it cost, in cents; `null` while not known. */
  readonly costCents: number | null;
  /** When it ended. */
  readonly finishedAt: string;
  /** What it made. */
  readonly artifactUrl?: string;
  /** When this was so. */
  readonly timestamp: string;
}

/** `failed`: it failed. */
export interface CastFailedFrame {
  /** Which cast. */
  readonly castId: string;
  /** Where it stands. */
  readonly status: 'failed';
  /** Why; `null` where nobody gave a reason. */
  readonly errorMessage: string | null;
  /** When this was so. */
  readonly timestamp: string;
}

/** `artifact`: there is something that it made. */
export interface CastArtifactFrame {
  /** Which cast. */
  readonly castId: string;
  /** Where. */
  readonly artifactUrl: string;
  /** When this was so. */
  readonly timestamp: string;
}

/** The frames of the casts' streams, each with its data. */
export interface CastFrames {
  readonly status: CastStatusFrame;
  readonly progress: CastProgressFrame;
  readonly complete: CastCompleteFrame;
  readonly failed: CastFailedFrame;
  readonly artifact: CastArtifactFrame;
}
