// What the documents' snippets leave out: what an app has imported or at hand where they stand. `page/prelude.ts` and
// `node/prelude.ts` provide it when they run.

// React and the hooks, where a snippet shows a part of a file.
declare const useState: typeof import('react').useState;
declare const useEffect: typeof import('react').useEffect;
declare const useCastEvents: typeof import('@tidings/react').useCastEvents;

// The app's components.
declare const Badge: import('react').ComponentType<{ children?: import('react').ReactNode }>;
declare const WifiIcon: import('react').ComponentType;
declare const Spinner: import('react').ComponentType;
declare const CastRow: import('react').ComponentType<{ cast: import('@tidings/client/casts').Cast }>;
declare const toast: Record<'success' | 'info' | 'error', (text: string) => void>;

// The state of the component that a fragment stands in.
declare const setCast: import('react').Dispatch<import('react').SetStateAction<import('@tidings/client/casts').Cast>>;
declare const setProgress: (progress: number) => void;
declare const setIsLive: (isLive: boolean) => void;
declare const initialCast: import('@tidings/client/casts').Cast;

// The test runner's.
declare const test: (name: string, body: () => Promise<void>) => void;
declare const expect: (value: unknown) => { toBe(expected: unknown): void };
declare const waitFor: typeof import('@testing-library/react').waitFor;

// The backend's helpers, and what it knows of the cast that it tells of.
declare const publishCastStarted: typeof import('@tidings/publisher').publishCastStarted;
declare const publishCastCompleted: typeof import('@tidings/publisher').publishCastCompleted;
declare const publishCastFailed: typeof import('@tidings/publisher').publishCastFailed;
declare const prisma: { cast: { update(change: object): Promise<unknown> } };
declare const cast: { id: string };
declare const castId: string;
declare const userId: string;
declare const startedAt: Date;
declare const finishedAt: Date;
declare const duration: number;
declare const costCents: number;
declare const artifactUrl: string;
declare const errorMessage: string;
declare const isSuccess: boolean;

// What stands for the dots where a snippet has dots: see `table.ts`.
declare const change: object;
declare const completed: Parameters<typeof publishCastCompleted>;
declare const failed: Parameters<typeof publishCastFailed>;

// The frame's own: draws what a fragment has got, since it draws nothing itself, and gives away a function that
// nothing on the page calls.
declare const show: (shown: object) => import('react').ReactNode;
declare const expose: (functions: object) => void;
