import type { Budget, Reservation } from '../../admission/budget.ts';
import { anyone, type Caller } from '../../admission/caller.ts';
import type { ServiceError } from '../../errors/service-error.ts';

/** How long a message may arrive before it counts as slow. */
const slowMs = 100;

/** The least that a slow message holds. */
const slowBytes = 64 * 1024;

/** What grpc-js keeps of each DATA frame until its message is whole, beside the frame's bytes. */
const frameCostBytes = 256;

/**
 * Reserves bytes for a message while it arrives. The message first waits in turn for room for its full size. If it is
 * slow, it keeps twice the bytes that have arrived and releases the rest, so a client that announces bytes and does not
 * send them keeps nobody out. It grows its reservation as more arrives, ahead of messages that have none yet.
 */
export class ArrivingMessage {
  /** Resolves when the bytes that have arrived are reserved; rejects if they cannot be. Undefined before `request()`. */
  admitted: Promise<void> | undefined;
  readonly #sizeBytes: number;
  readonly #waiting = new AbortController();
  #budget: Budget | undefined;
  #caller = anyone;
  #reservation: Reservation | undefined;
  /** Whether it waits to reserve bytes that have arrived. */
  #isGrowing = false;
  #slow: NodeJS.Timeout | undefined;
  #arrivedBytes = 0;
  #frames = 0;
  #isCancelled = false;

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes;
  }

  /** Whether the message is incomplete and its stream must stay paused, because it waits for room. */
  get isWaiting(): boolean {
    const hasRoom = this.#reservation !== undefined && !this.#isGrowing;
    return !hasRoom && this.#arrivedBytes < this.#sizeBytes;
  }

  /** Waits for room. */
  request(budget: Budget, caller: Caller): Promise<void> {
    this.#budget = budget;
    this.#caller = caller;
    const turn = budget.reserveInTurn(this.#sizeBytes, caller, this.#waiting.signal);
    this.admitted = turn.then((reservation) => {
      if (this.#isCancelled) reservation.release();
      else this.#admit(reservation);
    });
    return this.admitted;
  }

  /** Counts a DATA frame. Returns a promise of room for it if there is none now. */
  add(sizeBytes: number): Promise<void> | undefined {
    this.#arrivedBytes += sizeBytes;
    this.#frames++;
    return this.#isGrowing ? undefined : this.#grow();
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

  #grow(): Promise<void> | undefined {
    const reservation = this.#reservation;
    const neededBytes = Math.max(this.#arrivedBytes, this.#frames * frameCostBytes);
    if (reservation === undefined || neededBytes <= reservation.amount) return undefined;
    const doubledBytes = Math.max(neededBytes, Math.min(this.#sizeBytes, 2 * reservation.amount));
    if (this.#budget!.fits(doubledBytes - reservation.amount, this.#caller)) {
      reservation.grow(doubledBytes);
      return undefined;
    }
    this.#isGrowing = true;
    this.admitted = reservation.growInTurn(neededBytes, this.#waiting.signal).then(() => {
      this.#isGrowing = false;
      // More may have arrived meanwhile.
      return this.#grow();
    });
    return this.admitted;
  }

  #admit(reservation: Reservation): void {
    this.#reservation = reservation;
    this.#slow = setTimeout(() => reservation.settle(Math.max(slowBytes, 2 * this.#arrivedBytes)), slowMs);
  }
}
