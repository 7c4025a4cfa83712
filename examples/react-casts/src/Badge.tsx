import type { CastStatus } from '@tidings/client/casts';

export function Badge({ status }: { status: CastStatus }) {
  return (
    <span className="badge" data-status={status}>
      {status}
    </span>
  );
}
