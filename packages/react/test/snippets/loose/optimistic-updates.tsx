function CastWithOptimistic({ castId }) {
  const [cast, setCast] = useState(initialCast);

  useCastEvents(
    { castId },
    {
      onStatus: (data) => {
        // Real-time update overwrites optimistic update
        setCast((prev) => ({
          ...prev,
          status: data.status,
          // Only update if newer
          updatedAt: data.timestamp,
        }));
      },
    }
  );

  const handleCancel = async () => {
    // Optimistic update
    setCast((prev) => ({ ...prev, status: 'cancelled' }));

    try {
      await fetch(`/api/casts/${castId}`, {
        method: 'PATCH',
        body: JSON.stringify({ status: 'cancelled' }),
      });
    } catch (error) {
      // Revert on error
      setCast((prev) => ({ ...prev, status: 'running' }));
    }
  };

  return <div>{cast.status}</div>;
}
