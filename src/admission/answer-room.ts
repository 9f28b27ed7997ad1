import type { ByteRoom } from './byte-budget.ts';
import type { Caller } from './caller.ts';

/**
 * The room that one answer takes, from its plan until its caller has it: what is encoded is not thrown away for
 * want of room.
 */
export class AnswerRoom {
  readonly #room: ByteRoom;
  readonly #caller: Caller;
  readonly #taken: (() => void)[] = [];
  #takenBytes = 0;
  #released = false;

  constructor(room: ByteRoom, caller: Caller) {
    this.#room = room;
    this.#caller = caller;
  }

  /**
   * Takes room for tokens that are going to be made. Throws `overloaded` where there is none; the answer is then
   * none.
   */
  take(sizeBytes: number): void {
    // The work goes on for others.
    if (this.#released) return;
    this.#taken.push(this.#room.admit(sizeBytes, this.#caller));
    this.#takenBytes += sizeBytes;
  }

  /** Takes what is wanting for an answer of `sizeBytes`: the tokens that others had made. Throws as `take()` does. */
  fill(sizeBytes: number): void {
    if (sizeBytes > this.#takenBytes) this.take(sizeBytes - this.#takenBytes);
  }

  /** To be called when the caller has the answer, or has gone, or there will be none; more than once does no harm. */
  release(): void {
    this.#released = true;
    for (const release of this.#taken.splice(0)) release();
  }
}
