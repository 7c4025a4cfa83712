import { type Cast, isTerminal } from '@tidings/client/casts';
import { useCastEvents } from '@tidings/react';
import { useState } from 'react';
import { toast } from '../page/app.tsx';

export function CastWithOptimistic({ castId, initialCast }: { castId: string; initialCast: Cast }) {
  const [isCancelling, setIsCancelling] = useState(false);
  // What is older than what is known is left out by the hook, which goes by the record's version.
  const { lastEvent } = useCastEvents({ castId });
  const known = lastEvent?.status ?? initialCast.status;

  const handleCancel = async () => {
    setIsCancelling(true);
    try {
      const answer = await fetch(`/api/casts/${encodeURIComponent(castId)}`, {
        method: 'PATCH',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ status: 'cancelled' }),
      });
      // `fetch` does not throw where the server refuses.
      if (!answer.ok) throw new Error(`not cancelled: ${answer.status}`);
    } catch (error) {
      toast.error(error instanceof Error ? error.message : 'not cancelled');
      // Back to what is known, whatever that is by now.
      setIsCancelling(false);
    }
  };

  return (
    <div>
      <span>{isCancelling && !isTerminal(known) ? 'cancelled' : known}</span>
      <button type="button" onClick={handleCancel} disabled={isCancelling || isTerminal(known)}>
        Cancel
      </button>
    </div>
  );
}
