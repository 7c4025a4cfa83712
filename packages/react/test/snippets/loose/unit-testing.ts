import { renderHook } from '@testing-library/react-hooks';
import { useCastEvents } from '@/hooks/useCastEvents';

test('connects to SSE stream', async () => {
  const { result } = renderHook(() =>
    useCastEvents({ castId: 'test-123' })
  );

  await waitFor(() => {
    expect(result.current.isConnected).toBe(true);
  });
});
