function CastList({ castIds }) {
  const [casts, setCasts] = useState({});

  // Subscribe to each cast
  castIds.forEach((castId) => {
    useCastEvents(
      { castId },
      {
        onStatus: (data) => {
          setCasts((prev) => ({
            ...prev,
            [castId]: { ...prev[castId], ...data },
          }));
        },
      }
    );
  });

  return (
    <div>
      {castIds.map((id) => (
        <CastRow key={id} cast={casts[id]} />
      ))}
    </div>
  );
}
