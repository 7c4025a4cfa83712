// Starts it: PORT (default 3000), TIDINGS_URL and TIDINGS_API_KEY.

import type { AddressInfo } from 'node:net';
import * as route from '../app/api/casts/[id]/route.ts';
import { serve } from './serve.ts';

const server = serve({ GET: route.GET, PATCH: route.PATCH });
server.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
