import type { Reservation } from '../../admission/budget.ts';

const noBytes = Buffer.alloc(0);

/** The encoded message of a request. grpc-js keeps this object until the call ends, so that its bytes must go before. */
export class RequestMessage {
  bytes: Buffer;
  #reservation: Reservation | undefined;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** Has `reservation` count the bytes until `release()`. */
  charge(reservation: Reservation): void {
    this.#reservation = reservation;
  }

  /** Drops the bytes. To be called when the image is encoded: nobody waits for a client that reads slowly. */
  release(): void {
    this.bytes = noBytes;
    this.#reservation?.release();
  }
}
