import { setMaxListeners } from 'node:events';
import { ServiceError } from './service-error.ts';

/** Why an aborted signal fired, as the failure to answer with: its reason when that is one, else `cancelled`. */
export function abortFailure(signal: AbortSignal): ServiceError {
  if (signal.reason instanceof ServiceError) return signal.reason;
  return new ServiceError('cancelled', 'The client went away.', { cause: signal.reason });
}

/** What the caller's own leaving or deadline brought about is told as that. */
export function failureOf(thrown: unknown, signal: AbortSignal): ServiceError {
  if (thrown instanceof ServiceError || !signal.aborted) return ServiceError.from(thrown);
  return abortFailure(signal);
}

/**
 * A controller whose signal as many may listen to as like: a request's signal has a listener for each of its
 * images and stages, of which node warns as of a leak.
 */
export function requestAbort(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}

/** A signal that fires when either does, with as many listeners as like. */
export function eitherSignal(a: AbortSignal, b: AbortSignal): AbortSignal {
  const either = AbortSignal.any([a, b]);
  setMaxListeners(0, either);
  return either;
}
