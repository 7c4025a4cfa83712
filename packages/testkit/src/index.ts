export { CutProxy } from './cut-proxy.ts';
export { binary, type HistoryEvent, type Key, Server, surroundings, type User } from './server.ts';
