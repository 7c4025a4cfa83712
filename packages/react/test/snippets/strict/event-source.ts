import type { CastCompleteFrame, CastFailedFrame, CastStatusFrame } from '@tidings/client/casts';

export function followCast(castId: string): EventSource {
  const source = new EventSource(`/api/casts/${encodeURIComponent(castId)}/events`);
  const on = <Data>(type: string, listener: (data: Data) => void) => {
    source.addEventListener(type, (event: MessageEvent<string>) => listener(JSON.parse(event.data)));
  };

  on<CastStatusFrame>('status', (data) => console.log('Status:', data));
  on<CastCompleteFrame>('complete', (data) => console.log('Complete:', data));
  on<CastFailedFrame>('failed', (data) => console.log('Failed:', data));
  // However it ends: a cancelled cast has no event of its own, and the stream's lifetime is no end to act on.
  on<{ retry: string }>('$end', ({ retry }) => {
    if (retry === 'never') source.close();
  });
  source.onerror = () => {
    // While it is connecting it comes back by itself, from where it was.
    if (source.readyState === EventSource.CLOSED) console.error('Error: refused');
  };
  return source;
}
