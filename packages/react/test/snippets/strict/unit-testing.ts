import { renderHook, waitFor } from '@testing-library/react';
import { useCastEvents } from '@tidings/react';
import { expect, test } from '../page/runner.ts';

test('follows a cast as long as it is mounted', async () => {
  const { result, unmount } = renderHook(() => useCastEvents({ castId: 'test-123' }));

  await waitFor(() => expect(result.current.isConnected).toBe(true));
  expect(result.current.lastEvent?.status).toBe('running');
  expect(result.current.error).toBe(null);
  // Leaves the channel; the page's one connection closes when nothing needs it.
  unmount();
});
