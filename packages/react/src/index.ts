// `@tidings/react`: what an app follows, in its components.

export type { Client, ClientOptions, Event, Gap, Status, Subscribe } from '@tidings/client';
export { TidingsError } from '@tidings/client';
export type {
  Cast,
  CastArtifactFrame,
  CastCompleteFrame,
  CastFailedFrame,
  CastInfo,
  CastProgressFrame,
  CastStatus,
  CastStatusFrame,
} from '@tidings/client/casts';
export type { CastLastEvent, CastStatusResult } from './casts/cast-state.ts';
export type { CastEventHandlers } from './casts/cast-store.ts';
export type { CastPollingResult } from './casts/poll-store.ts';
export { isSSESupported } from './casts/sse-support.ts';
export {
  type CastEventsOptions,
  type CastEventsResult,
  useCastEvents,
  useCastStatus,
} from './casts/use-cast-events.ts';
export { type CastPollingOptions, useCastPolling } from './casts/use-cast-polling.ts';
export { type CastsResult, useCasts } from './casts/use-casts.ts';
export type { ChannelHandlers } from './channel-store.ts';
export type { ConnectionStatus } from './hub.ts';
export { TidingsProvider, type TidingsProviderProps, useClient } from './provider.tsx';
export type { SnapshotFrom } from './snapshot-store.ts';
export { type ChannelOptions, type ChannelResult, useChannel, type What } from './use-channel.ts';
export { useConnectionStatus } from './use-connection-status.ts';
export { type SnapshotResult, useSnapshot } from './use-snapshot.ts';
