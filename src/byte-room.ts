import { anyone, type Caller } from './caller.ts';
import type { ServiceError } from './errors.ts';
import { beyond, divide, moreBeyond } from './shares.ts';

/** Takes room for what a request sends; throws `overloaded` when there is none. Gives what frees the room again. */
export type AdmitBytes = (sizeBytes: number, caller: Caller) => () => void;

/** Where no room is bounded. */
export const admitAny: AdmitBytes = () => () => undefined;

/** Bounds bytes that are held at one time. Of several callers each has a part that no other can take. */
export class ByteRoom {
  readonly #maxBytes: number;
  readonly #full: () => ServiceError;
  readonly #callers: () => readonly Caller[];
  readonly #byCaller = new Map<string | undefined, number>();
  #heldBytes = 0;

  /** `full` makes the error for what finds no room. */
  constructor(maxBytes: number, full: () => ServiceError, callers: () => readonly Caller[] = () => []) {
    this.#maxBytes = maxBytes;
    this.#full = full;
    this.#callers = callers;
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Takes room and gives what frees it, once. Throws where there is none now. */
  admit(sizeBytes: number, { name }: Caller = anyone): () => void {
    const parts = divide(this.#maxBytes, this.#callers());
    const own = this.#byCaller.get(name) ?? 0;
    if (beyond(this.#byCaller, parts) + moreBeyond(own, sizeBytes, parts.of(name)) > parts.common) {
      throw this.#full();
    }
    this.#add(name, sizeBytes);
    let held = true;
    return () => {
      if (held) this.#add(name, -sizeBytes);
      held = false;
    };
  }

  #add(name: string | undefined, change: number): void {
    this.#heldBytes += change;
    const own = (this.#byCaller.get(name) ?? 0) + change;
    if (own === 0) this.#byCaller.delete(name);
    else this.#byCaller.set(name, own);
  }
}
