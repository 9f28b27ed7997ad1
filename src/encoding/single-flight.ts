import { abortFailure, failureOf, requestAbort } from '../errors/abort.ts';

/** Work that several callers wait for. It is aborted when the last of them leaves. */
export class Flight<T> {
  readonly #abort = requestAbort();
  readonly #outcome: Promise<T>;
  #waiting = 0;

  /**
   * Starts the work with a signal that fires when all callers have left. `onEnd` is called when the work has ended or has
   * been aborted.
   */
  constructor(work: (signal: AbortSignal) => Promise<T>, onEnd: () => void) {
    const { signal } = this.#abort;
    signal.addEventListener('abort', onEnd, { once: true });
    this.#outcome = work(signal).then(
      (result) => {
        onEnd();
        return result;
      },
      (thrown: unknown) => {
        onEnd();
        throw failureOf(thrown, signal);
      },
    );
    // After an abort nobody listens.
    this.#outcome.catch(() => undefined);
  }

  /** Waits for the result. Rejects as the work does, or with the signal's ServiceError when this caller leaves. */
  join(signal: AbortSignal): Promise<T> {
    this.#waiting++;
    return new Promise<T>((resolve, reject) => {
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

/** Work under way, by key: a second request for the same key waits for the work of the first. */
export class SingleFlight<T> {
  readonly #underWay = new Map<string, Flight<T>>();

  find(key: string | undefined): Flight<T> | undefined {
    return key === undefined ? undefined : this.#underWay.get(key);
  }

  /** Starts work that others can find by its key until it ends. Without a key nobody can find it. */
  start(key: string | undefined, work: (signal: AbortSignal) => Promise<T>): Flight<T> {
    if (key === undefined) return new Flight(work, () => undefined);
    const flight = new Flight(work, () => {
      if (this.#underWay.get(key) === flight) this.#underWay.delete(key);
    });
    this.#underWay.set(key, flight);
    return flight;
  }
}
