const { isConnected, lastEvent, lastUpdate, error } = useCastEvents(
  {
    castId: 'cast_123',
    enabled: true,
    reconnect: true,
    maxReconnectAttempts: 10,
  },
  {
    onStatus: (data) => {
      // Handle status changes
      setCast(prev => ({ ...prev, status: data.status }));
    },
    onProgress: (data) => {
      // Handle progress updates
      setProgress(data.progress);
      if (data.message) {
        toast.info(data.message);
      }
    },
    onComplete: (data) => {
      // Handle completion
      toast.success('Execution completed!');
      setCast(prev => ({ ...prev, status: 'succeeded' }));
    },
    onError: (data) => {
      // Handle errors
      toast.error(data.errorMessage || 'Execution failed');
      setCast(prev => ({ ...prev, status: 'failed' }));
    },
    onConnectionChange: (connected) => {
      // Handle connection state changes
      setIsLive(connected);
    },
  }
);
