import { useEffect, useState } from 'preact/hooks';
import { type Failure, mayPassLater } from '../service/failure.ts';

interface FailureNoteProps {
  readonly failure: Failure;
  /** Sends the same request again; offered only where that may help. */
  readonly onRetry?: () => void;
  /** What the button for `onRetry` says. */
  readonly retryLabel?: string;
}

/** A failure as the service says it, and what to do. */
export function FailureNote({ failure, onRetry, retryLabel = 'Try again' }: FailureNoteProps) {
  const { title, detail, code, requestId, retryAfterMs } = failure;
  const isEarly = useIsEarly(failure);
  return (
    <div class="failure" role="alert">
      <strong>{title}</strong>
      <p>{detail}</p>
      {isEarly && retryAfterMs !== undefined && <p>Try again in {(retryAfterMs / 1000).toFixed(1)} s.</p>}
      {(code !== undefined || requestId !== undefined) && (
        <p class="fine">
          {code !== undefined && <code>{code}</code>} {requestId !== undefined && <>request {requestId}</>}
        </p>
      )}
      {onRetry !== undefined && mayPassLater(failure) && (
        <button type="button" disabled={isEarly} onClick={onRetry}>
          {retryLabel}
        </button>
      )}
    </div>
  );
}

/** Whether the time that the service named for the next try is yet to come. */
function useIsEarly(failure: Failure): boolean {
  const { retryAfterMs = 0 } = failure;
  const [over, setOver] = useState<Failure>();
  useEffect(() => {
    const timer = setTimeout(() => setOver(failure), retryAfterMs);
    return () => clearTimeout(timer);
  }, [failure]);
  return retryAfterMs > 0 && over !== failure;
}
