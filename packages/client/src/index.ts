// `@tidings/client`: one connection for everything that an app follows.

export { type Client, createClient, type Subscribe, type Subscription } from './client.ts';
export type { Since } from './cursor.ts';
export type { Gap, Listeners } from './delivery.ts';
export type { Broadcast, Environment, Fetched, FetchOptions, Locks, Signal, Socket, Source } from './environment.ts';
export { type Failure, type FailureKind, TidingsError } from './failure.ts';
export type { AuthRequest, ClientOptions, Trace, TransportName } from './options.ts';
export { failureOf } from './refusal.ts';
export type { Requests } from './requests.ts';
export type { SnapshotInfo, SnapshotListeners, SnapshotSource } from './snapshot.ts';
export type { Status } from './status.ts';
export type { Transport } from './transports/transport.ts';
export * from './wire/generated.ts';
