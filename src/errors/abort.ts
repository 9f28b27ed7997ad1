import { ServiceError } from './service-error.ts';

/** Says that nobody waits for some work any more, and why: what the service uses of an AbortSignal. */
export interface StopSignal {
  readonly aborted: boolean;
  readonly reason: unknown;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

/** The failure behind an aborted signal: its reason if that is a ServiceError, otherwise `cancelled`. */
export function abortFailure(signal: StopSignal): ServiceError {
  if (signal.reason instanceof ServiceError) return signal.reason;
  return new ServiceError('cancelled', 'The client went away.', { cause: signal.reason });
}

/** A thrown value as a ServiceError. After an abort, an unexpected error counts as the abort's own failure. */
export function failureOf(thrown: unknown, signal: StopSignal): ServiceError {
  if (thrown instanceof ServiceError || !signal.aborted) return ServiceError.from(thrown);
  return abortFailure(signal);
}

/**
 * A controller and its own signal. It fires once, takes any number of listeners, and calls them in order. An
 * AbortController and its EventTarget would be the largest part of a small request's bookkeeping.
 */
export class RequestAbort implements StopSignal {
  #aborted = false;
  #reason: unknown;
  readonly #listeners: (() => void)[] = [];

  get signal(): StopSignal {
    return this;
  }

  get aborted(): boolean {
    return this.#aborted;
  }

  get reason(): unknown {
    return this.#reason;
  }

  abort(reason: unknown): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#reason = reason;
    for (let next = this.#listeners.shift(); next !== undefined; next = this.#listeners.shift()) next();
  }

  addEventListener(_type: 'abort', listener: () => void): void {
    if (!this.#aborted) this.#listeners.push(listener);
  }

  removeEventListener(_type: 'abort', listener: () => void): void {
    const index = this.#listeners.indexOf(listener);
    if (index !== -1) this.#listeners.splice(index, 1);
  }
}
