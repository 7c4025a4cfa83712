function CastWithLoading({ castId }) {
  const [cast, setCast] = useState(null);
  const [loading, setLoading] = useState(true);

  const { isConnected } = useCastEvents(
    { castId, enabled: !loading },
    {
      onStatus: (data) => {
        setCast((prev) => ({ ...prev, ...data }));
      },
    }
  );

  useEffect(() => {
    // Fetch initial cast data
    fetch(`/api/casts/${castId}`)
      .then((r) => r.json())
      .then((data) => {
        setCast(data);
        setLoading(false);
      });
  }, [castId]);

  if (loading) return <Spinner />;

  return <div>{cast.status}</div>;
}
