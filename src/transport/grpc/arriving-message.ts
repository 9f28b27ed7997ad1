import type { Budget, Reservation } from '../../admission/budget.ts';
import type { Caller } from '../../admission/caller.ts';
import type { ServiceError } from '../../errors/service-error.ts';

/** How long a message may arrive before it counts as slow. */
const slowMs = 100;

/** The least that a slow message holds. */
const slowBytes = 64 * 1024;

/** What grpc-js keeps of each DATA frame until its message is whole, beside the frame's bytes. */
const frameCostBytes = 256;

/**
 * The bytes that a message holds while it arrives. It waits its turn for room for all of it. A slow message then gives
 * back what is more than twice what has arrived, and reserves again as it arrives: a client that announces bytes and does
 * not send them keeps nobody out.
 */
export class ArrivingMessage {
  /** Resolves when the message may be read, and rejects with why it may not. Undefined before `request()`. */
  admitted: Promise<void> | undefined;
  readonly #sizeBytes: number;
  readonly #waiting = new AbortController();
  #reservation: Reservation | undefined;
  #slow: NodeJS.Timeout | undefined;
  #arrivedBytes = 0;
  #frames = 0;
  #isCancelled = false;

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
  }

  /** Whether more of it would arrive if its stream were read, and may not. */
  get isWaiting(): boolean {
    return this.#reservation === undefined && this.#arrivedBytes < this.#sizeBytes;
  }

  /** Waits for room. */
  request(budget: Budget, caller: Caller): Promise<void> {
    const turn = budget.reserveInTurn(this.#sizeBytes, caller, this.#waiting.signal);
    this.admitted = turn.then((reservation) => {
      if (this.#isCancelled) reservation.release();
      else this.#admit(reservation);
    });
    return this.admitted;
  }

  /** Counts a DATA frame of it. Throws the budget's error if there is no room for the frame. */
  add(sizeBytes: number): void {
    this.#arrivedBytes += sizeBytes;
    this.#frames++;
    const reservation = this.#reservation;
    if (reservation === undefined) return;
    const neededBytes = Math.max(this.#arrivedBytes, this.#frames * frameCostBytes);
    if (neededBytes <= reservation.amount) return;
    reservation.grow(Math.max(neededBytes, Math.min(this.#sizeBytes, 2 * reservation.amount)));
  }

  /** Stops waiting, for `reason`, and releases what it holds. */
  cancel(reason: ServiceError): void {
    this.#isCancelled = true;
    clearTimeout(this.#slow);
    this.#waiting.abort(reason);
    this.#reservation?.release();
  }

  /** Hands over the reservation of an admitted message that has arrived. */
  complete(): Reservation {
    clearTimeout(this.#slow);
    this.#reservation!.settle(this.#sizeBytes);
    return this.#reservation!;
  }

  #admit(reservation: Reservation): void {
    this.#reservation = reservation;
    this.#slow = setTimeout(() => reservation.settle(Math.max(slowBytes, 2 * this.#arrivedBytes)), slowMs);
  }
}
