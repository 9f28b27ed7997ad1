import { abortFailure, failureOf, requestAbort } from '../errors/abort.ts';

/** Work that several callers wait for. It is abandoned when the last of them has left. */
export class Flight<T> {
  readonly #abort = requestAbort();
  readonly #outcome: Promise<T>;
  #waiting = 0;

  /**
   * Starts the work with a signal that fires when all callers have left. `onEnd` is called once, when the work has ended
   * or been abandoned.
   */
  constructor(work: (signal: AbortSignal) => Promise<T>, onEnd: () => void) {
    const { signal } = this.#abort;
    signal.addEventListener('abort', onEnd, { once: true });
    this.#outcome = work(signal)
      .catch((thrown: unknown) => {
        throw failureOf(thrown, signal);
      })
      .finally(onEnd);
    // After an abandonment nobody listens.
    this.#outcome.catch(() => undefined);
  }

  /** Gives what the work gives. Rejects as the work does, and with the signal's ServiceError when this caller leaves. */
  async join(signal: AbortSignal): Promise<T> {
    this.#waiting++;
    return await new Promise<T>((resolve, reject) => {
      const leave = (): void => {
        reject(abortFailure(signal));
        this.#waiting--;
        if (this.#waiting === 0) this.#abort.abort(abortFailure(signal));
      };
      if (signal.aborted) {
        leave();
        return;
      }
      signal.addEventListener('abort', leave, { once: true });
      void this.#outcome.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
    });
  }
}

/** Work under way, by what it is for: a second caller that asks for the same waits for the first one's. */
export class SingleFlight<T> {
  readonly #underWay = new Map<string, Flight<T>>();

  find(key: string | undefined): Flight<T> | undefined {
    return key === undefined ? undefined : this.#underWay.get(key);
  }

  /** Starts work that others find by its key until it ends. Without a key nobody finds it. */
  start(key: string | undefined, work: (signal: AbortSignal) => Promise<T>): Flight<T> {
    if (key === undefined) return new Flight(work, () => undefined);
    const flight = new Flight(work, () => {
      if (this.#underWay.get(key) === flight) this.#underWay.delete(key);
    });
    this.#underWay.set(key, flight);
    return flight;
  }
}
