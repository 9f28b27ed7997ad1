import type { Budget, Reservation } from '../../admission/budget.ts';
import type { Caller } from '../../admission/caller.ts';
import type { ServiceError } from '../../errors/service-error.ts';

/** A call's request message as grpc-js keeps it until the call ends: its bytes have to go before that. */
export class RequestMessage {
  bytes: Buffer;
  #reservation: Reservation | undefined;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** From now on `reservation` counts the bytes. */
  charge(reservation: Reservation): void {
    this.#reservation = reservation;
  }

  /** To be called when the image is encoded: a client that does not read its answer holds nothing of what it sent. */
  release(): void {
    this.bytes = noBytes;
    this.#reservation?.release();
  }
}

const noBytes = Buffer.alloc(0);

/** How long a message may hold room for all of it before all of it is there. */
const slowMs = 100;

/** The least that a slow message holds. */
const firstBytes = 64 * 1024;

/** What grpc-js keeps of each DATA frame until its message is whole, beside the frame's bytes. */
const frameCostBytes = 256;

/**
 * The bytes that a message holds while it arrives. It waits its turn for room for all of it. A slow one then holds twice
 * what has come, and takes more as it comes: what is announced and not sent keeps nobody out.
 */
export class ArrivingMessage {
  readonly #sizeBytes: number;
  readonly #waiting = new AbortController();
  #reservation: Reservation | undefined;
  #slow: NodeJS.Timeout | undefined;
  #arrivedBytes = 0;
  #frames = 0;
  #isCancelled = false;
  /** Resolves when the message may be read; rejects with why it may not. */
  readonly admitted: Promise<void>;

  constructor(sizeBytes: number, budget: Budget, caller: Caller) {
    this.#sizeBytes = sizeBytes;
    this.admitted = budget.reserveInTurn(sizeBytes, caller, this.#waiting.signal).then((reservation) => {
      if (this.#isCancelled) reservation.release();
      else this.#enter(reservation);
    });
  }

  /** Whether it must not be read on yet. */
  get isWaiting(): boolean {
    return this.#reservation === undefined && this.#arrivedBytes < this.#sizeBytes;
  }

  /** A DATA frame of it has come. Throws the budget's error where there is no room for it. */
  add(sizeBytes: number): void {
    this.#arrivedBytes += sizeBytes;
    this.#frames++;
    const reservation = this.#reservation;
    if (reservation === undefined) return;
    const neededBytes = Math.max(this.#arrivedBytes, this.#frames * frameCostBytes);
    if (neededBytes <= reservation.amount) return;
    reservation.grow(Math.max(neededBytes, Math.min(this.#sizeBytes, 2 * reservation.amount)));
  }

  /** Gives up waiting, for `reason`, and what it holds. */
  cancel(reason: ServiceError): void {
    this.#isCancelled = true;
    clearTimeout(this.#slow);
    this.#waiting.abort(reason);
    this.#reservation?.release();
  }

  /** Its reservation, now that all of it has come. */
  whole(): Reservation {
    clearTimeout(this.#slow);
    this.#reservation!.settle(this.#sizeBytes);
    return this.#reservation!;
  }

  #enter(reservation: Reservation): void {
    this.#reservation = reservation;
    this.#slow = setTimeout(() => reservation.settle(Math.max(firstBytes, 2 * this.#arrivedBytes)), slowMs);
  }
}
