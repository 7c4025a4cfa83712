import { defineConfig } from 'tsdown';
import { library } from '../tsdown.base.ts';

export default defineConfig(
  library(
    {
      index: 'src/index.ts',
      websocket: 'src/transports/websocket.ts',
      sse: 'src/transports/sse.ts',
      eventsource: 'src/transports/eventsource.ts',
      poll: 'src/transports/poll.ts',
      casts: 'src/casts/index.ts',
      debug: 'src/debug.ts',
      tabs: 'src/tabs/index.ts',
    },
    'neutral',
  ),
);
