import { setMaxListeners } from 'node:events';
import { ServiceError } from './service-error.ts';

/** The failure behind an aborted signal: its reason if that is a ServiceError, otherwise `cancelled`. */
export function abortFailure(signal: AbortSignal): ServiceError {
  if (signal.reason instanceof ServiceError) return signal.reason;
  return new ServiceError('cancelled', 'The client went away.', { cause: signal.reason });
}

/** A thrown value as a ServiceError. After an abort, an unexpected error counts as the abort's own failure. */
export function failureOf(thrown: unknown, signal: AbortSignal): ServiceError {
  if (thrown instanceof ServiceError || !signal.aborted) return ServiceError.from(thrown);
  return abortFailure(signal);
}

/**
 * A controller whose signal takes any number of listeners. A request's signal has one for each image and stage, which
 * Node would report as a leak.
 */
export function requestAbort(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}

/** A signal that fires when either of two does. It takes any number of listeners. */
export function eitherSignal(a: AbortSignal, b: AbortSignal): AbortSignal {
  const either = AbortSignal.any([a, b]);
  setMaxListeners(0, either);
  return either;
}
