import type { StopSignal } from '../../errors/abort.ts';
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
 * Reserves bytes for a message while it arrives. The message first waits in turn for room for its full size. If it is
 * slow, it keeps twice the bytes that have arrived and releases the rest, so a client that announces bytes and does not
 * send them keeps nobody out. It grows its reservation as more arrives, ahead of messages that have none yet.
 */
export class ArrivingMessage {
  /** While the message waits for room: resolves when it has room, rejects if it gets none. */
  room: Promise<void> | undefined;
  readonly #sizeBytes: number;
  readonly #budget: Budget;
  readonly #caller: Caller;
  #reservation: Reservation | undefined;
  #waiting: AbortController | undefined;
  #slow: NodeJS.Timeout | undefined;
  #arrivedBytes = 0;
  #frames = 0;
  #isCancelled = false;

  constructor(sizeBytes: number, budget: Budget, caller: Caller) {
    this.#sizeBytes = sizeBytes;
    this.#budget = budget;
    this.#caller = caller;
  }

  /** Whether it has asked for room. */
  get isRequested(): boolean {
    return this.#reservation !== undefined || this.room !== undefined;
  }

  /** Whether the message is incomplete and its stream must stay paused, because it has no room. */
  get isHeld(): boolean {
    const hasRoom = this.#reservation !== undefined && this.room === undefined;
    return !hasRoom && this.#arrivedBytes < this.#sizeBytes;
  }

  /** Takes room for the whole message, or waits for it in turn. */
  request(): void {
    const reservation = this.#budget.reserveNow(this.#sizeBytes, this.#caller);
    if (reservation !== undefined) this.#admit(reservation);
    else
      this.#wait(async (signal) =>
        this.#admit(await this.#budget.reserveInTurn(this.#sizeBytes, this.#caller, signal)),
      );
  }

  /** Counts a DATA frame. Returns whether the message now waits for room for it. */
  add(sizeBytes: number): boolean {
    this.#arrivedBytes += sizeBytes;
    this.#frames++;
    const reservation = this.#reservation;
    const neededBytes = Math.max(this.#arrivedBytes, this.#frames * frameCostBytes);
    if (reservation === undefined || this.room !== undefined || neededBytes <= reservation.amount)
      return false;
    const doubledBytes = Math.max(neededBytes, Math.min(this.#sizeBytes, 2 * reservation.amount));
    if (this.#budget.fits(doubledBytes - reservation.amount, this.#caller)) reservation.grow(doubledBytes);
    else this.#wait((signal) => reservation.growInTurn(neededBytes, signal));
    return this.room !== undefined;
  }

  /** Stops waiting, for `reason`, and releases what it holds. */
  cancel(reason: () => ServiceError): void {
    this.#isCancelled = true;
    clearTimeout(this.#slow);
    this.#waiting?.abort(reason());
    this.#reservation?.release();
  }

  /** Hands over the reservation of an admitted message that has arrived. */
  complete(): Reservation {
    clearTimeout(this.#slow);
    this.#reservation!.settle(this.#sizeBytes);
    return this.#reservation!;
  }

  #wait(ask: (signal: StopSignal) => Promise<void>): void {
    const waiting = new AbortController();
    this.#waiting = waiting;
    this.room = ask(waiting.signal).then(() => {
      this.room = undefined;
    });
  }

  #admit(reservation: Reservation): void {
    if (this.#isCancelled) {
      reservation.release();
      return;
    }
    this.#reservation = reservation;
    if (this.#arrivedBytes === this.#sizeBytes) return;
    this.#slow = setTimeout(() => reservation.settle(Math.max(slowBytes, 2 * this.#arrivedBytes)), slowMs);
  }
}
