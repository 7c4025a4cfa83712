// Starts the program: PORT (default 3000), CASTS_FILE (default ./casts.json), TIDINGS_URL and TIDINGS_API_KEY.

import type { AddressInfo } from 'node:net';
import { createApp } from './app.ts';
import { CastStore } from './store.ts';
import { tellTheRest } from './telling.ts';

const store = await CastStore.open(process.env['CASTS_FILE'] ?? 'casts.json');
const told = await tellTheRest(store);
const server = createApp(store).listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo;
  console.log(`http://127.0.0.1:${port} (${told} casts were told of at the start)`);
});
