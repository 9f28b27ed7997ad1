import type { EventEmitter } from 'node:events';
import { requestAbort } from '../../errors/abort.ts';
import { ServiceError } from '../../errors/service-error.ts';

/** What is used of a grpc-js call. */
export interface EndableCall extends Pick<EventEmitter, 'once' | 'off'> {
  readonly cancelled: boolean;
  getDeadline(): Date | number;
}

/** Longest delay that setTimeout takes; a later deadline outlives any request. */
const longestTimerMs = 2 ** 31 - 1;

/**
 * A signal that fires with a ServiceError of `cancelled` when the client leaves, and of `deadline_exceeded` when the
 * call's deadline passes. `release()` once the call is answered: nothing fires after it.
 */
export function callSignal(call: EndableCall): {
  readonly signal: AbortSignal;
  readonly release: () => void;
} {
  const controller = requestAbort();
  const deadlineMs = Number(call.getDeadline());
  const end = (): void => controller.abort(endingOf(deadlineMs));
  const remainingMs = deadlineMs - Date.now();
  const timer = remainingMs <= longestTimerMs ? setTimeout(end, Math.max(0, remainingMs)) : undefined;
  call.once('cancelled', end);
  if (call.cancelled) end();
  return {
    signal: controller.signal,
    release() {
      clearTimeout(timer);
      call.off('cancelled', end);
    },
  };
}

/** A client whose deadline passes cancels the call, which arrives here at about the time of our own timer. */
const clockMarginMs = 50;

function endingOf(deadlineMs: number): ServiceError {
  if (Date.now() >= deadlineMs - clockMarginMs)
    return new ServiceError('deadline_exceeded', 'The deadline passed before the answer was ready.');
  return new ServiceError('cancelled', 'The client went away.');
}
