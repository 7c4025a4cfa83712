// Publishing to Tidings from Node. Reading order: options, publisher, queue, casts, default, errors.

export { type CastHelpers, createCastHelpers, type InstantLike } from './casts.ts';
export {
  defaultPublisher,
  enqueue,
  enqueueCast,
  publish,
  publishBatch,
  publishCastArtifactReady,
  publishCastCompleted,
  publishCastEvent,
  publishCastFailed,
  publishCastProgress,
  publishCastStarted,
  publishCastStatusChange,
  publishCastUpdate,
  setDefaultPublisher,
} from './default.ts';
export type { Draft } from './draft.ts';
export { type LocalCode, PublishError, type PublishErrorDetails } from './errors.ts';
export type {
  Cast,
  CastEventKind,
  CastFields,
  CastStatus,
  Cursor,
  ErrorCode,
  Problem,
  Receipt,
} from './generated.ts';
export { BATCH_BYTES, BATCH_EVENTS, DATA_BYTES, ERROR_CODES } from './generated.ts';
export type { Enqueued, PublisherOptions, RetryOptions } from './options.ts';
export { type CallOptions, createPublisher, type FlushOptions, type Publisher } from './publisher.ts';
export type { CastState, CastTelling } from './telling.ts';
