import type { Failure } from '../service/failure.ts';

/** A failure as the service says it, and what to do. */
export function FailureNote({ failure, onRetry }: { failure: Failure; onRetry?: () => void }) {
  const { title, detail, code, requestId, retryAfterMs } = failure;
  return (
    <div class="failure" role="alert">
      <strong>{title}</strong>
      <p>{detail}</p>
      {retryAfterMs !== undefined && <p>Try again in {(retryAfterMs / 1000).toFixed(1)} s.</p>}
      {(code !== undefined || requestId !== undefined) && (
        <p class="fine">
          {code !== undefined && <code>{code}</code>} {requestId !== undefined && <>request {requestId}</>}
        </p>
      )}
      {onRetry !== undefined && (
        <button type="button" onClick={onRetry}>
          Try again
        </button>
      )}
    </div>
  );
}
