import { abortFailure, failureOf, RequestAbort, type StopSignal } from '../errors/abort.ts';

/** Work that several callers wait for. It is aborted when the last of them leaves. */
export class Flight<T> {
  readonly #abort = new RequestAbort();
  readonly #outcome: Promise<T>;
  #waiting = 0;

  /**
   * Starts the work with a signal that fires when all callers have left. `onEnd` is called when the work has ended or has
   * been aborted.
   */
  constructor(work: (signal: StopSignal) => Promise<T>, onEnd: () => void) {
    const signal = this.#abort;
    signal.addEventListener('abort', onEnd);
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
  join(signal: StopSignal): Promise<T> {
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
      signal.addEventListener('abort', leave);
      const stay = (): void => signal.removeEventListener('abort', leave);
      this.#outcome.then(
        (result) => {
          stay();
          resolve(result);
        },
        (thrown: unknown) => {
          stay();
          reject(thrown);
        },
      );
    });
  }
}

/** Work under way, by key: a second request for the same key waits for the work of the first. */
export class SingleFlight<T> {
  readonly #underWay = new Map<string, Flight<T>>();

  find(key: string | undefined): Flight<T> | undefined {
    return key === undefined ? undefined : this.#underWay.get(key);
  }

  /** Starts work that others can find by its key until it ends. */
  start(key: string, work: (signal: StopSignal) => Promise<T>): Flight<T> {
    const flight = new Flight(work, () => {
      if (this.#underWay.get(key) === flight) this.#underWay.delete(key);
    });
    this.#underWay.set(key, flight);
    return flight;
  }
}
