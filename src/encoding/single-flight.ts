import { abortFailure, requestAbort } from '../errors/abort.ts';
import type { Caller } from '../admission/caller.ts';
import { ServiceError } from '../errors/service-error.ts';

/** The request that begins work: on its account it is refused or not. */
export interface Beginner {
  readonly caller: Caller;
  /** That it has done together, all or none. */
  readonly images: number;
}

/** What work was refused for on account of the request that began it: another may still have it done. */
export class FlightRefused extends ServiceError {
  /** Undefined where it was not refused but left by all. */
  readonly beginner: Beginner | undefined;

  constructor(error: ServiceError, beginner?: Beginner) {
    super(error.code, error.message, error);
    this.beginner = beginner;
  }
}

/** Work that several callers wait for. It is abandoned when the last of them has left. */
export class Flight<T> {
  readonly #abort = requestAbort();
  readonly #outcome: Promise<T>;
  readonly #onEnd: () => void;
  #land: (value: T) => void = () => undefined;
  #fail: (error: ServiceError) => void = () => undefined;
  #waiting = 0;
  #deadlineAt = 0;

  /** `onEnd` is called when it has landed, failed or been abandoned: nobody may join any more. */
  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
    this.#outcome = new Promise((resolve, reject) => {
      this.#land = resolve;
      this.#fail = reject;
    });
    // When all have left nobody listens.
    this.#outcome.catch(() => undefined);
  }

  /** Fires, with the reason of the last caller, when all have left. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** The latest time, by performance.now(), until which somebody waits. */
  get deadlineAt(): number {
    return this.#deadlineAt;
  }

  /** What the work gives. Rejects as the work does, and with the signal's ServiceError when this caller leaves. */
  async join(signal: AbortSignal, deadlineAt: number): Promise<T> {
    this.#waiting++;
    this.#deadlineAt = Math.max(this.#deadlineAt, deadlineAt);
    return await new Promise<T>((resolve, reject) => {
      const leave = (): void => {
        reject(abortFailure(signal));
        this.#waiting--;
        if (this.#waiting === 0) this.#abandon(abortFailure(signal));
      };
      if (signal.aborted) {
        leave();
        return;
      }
      signal.addEventListener('abort', leave, { once: true });
      void this.#outcome.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
    });
  }

  /** Answers everybody that waits. */
  land(value: T): void {
    this.#onEnd();
    this.#land(value);
  }

  /** Answers everybody that waits with a failure. */
  fail(error: ServiceError): void {
    this.#onEnd();
    this.#fail(error);
  }

  /**
   * The work is not begun. Everybody that waits is rejected with a FlightRefused; those that joined may begin it
   * anew.
   */
  refuse(error: ServiceError, beginner: Beginner): void {
    this.fail(new FlightRefused(error, beginner));
  }

  #abandon(reason: ServiceError): void {
    this.#onEnd();
    this.#abort.abort(reason);
    // For whoever found it before and joins only now.
    this.#fail(new FlightRefused(reason));
  }
}

/** Work under way, by what it is for: who asks for the same waits for it too. */
export class Flights<T> {
  readonly #underWay = new Map<string, Flight<T>>();

  get size(): number {
    return this.#underWay.size;
  }

  find(key: string): Flight<T> | undefined {
    return this.#underWay.get(key);
  }

  /** A new one, which others find by its key; without a key nobody does. */
  start(key: string | undefined): Flight<T> {
    if (key === undefined) return new Flight(() => undefined);
    const flight: Flight<T> = new Flight(() => {
      if (this.#underWay.get(key) === flight) this.#underWay.delete(key);
    });
    this.#underWay.set(key, flight);
    return flight;
  }
}
