import { useCasts } from '@tidings/react';
import { CastRow } from '../page/app.tsx';

// One hook for all of them, so that the list may grow and shrink; one connection, however many there are.
export function CastList({ castIds }: { castIds: readonly string[] }) {
  const { casts } = useCasts(castIds);

  return (
    <div>
      {castIds.map((id) => (
        <CastRow key={id} cast={casts[id]} />
      ))}
    </div>
  );
}
