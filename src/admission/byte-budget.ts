import { anyone, type Caller } from './caller.ts';
import type { ServiceError } from '../errors/service-error.ts';
import { commonUse, liveShares, type Shares } from './shares.ts';

/**
 * Takes room for what a request sends; throws `overloaded` when there is none. Gives what frees the room again, once.
 */
export type AdmitBytes = (sizeBytes: number, caller: Caller) => () => void;

/** Where no room is bounded. */
export const admitAny: AdmitBytes = () => () => undefined;

export interface ByteRoomOptions {
  readonly maxBytes: number;
  /** Of the largest thing that is ever held: it finds room when nothing else is held. */
  readonly largestBytes?: number;
  /** Each has a part that no other can take; in a list that is never changed. */
  readonly callers?: (() => readonly Caller[]) | undefined;
  /** Makes the error for what finds no room. */
  readonly full: () => ServiceError;
}

const noCallers: readonly Caller[] = [];

/** Bounds bytes that are held at one time. */
export class ByteRoom {
  readonly #full: () => ServiceError;
  readonly #shares: () => Shares;
  readonly #byCaller = new Map<string | undefined, number>();
  #heldBytes = 0;

  constructor({ maxBytes, largestBytes, callers = () => noCallers, full }: ByteRoomOptions) {
    this.#full = full;
    this.#shares = liveShares(maxBytes, callers, largestBytes);
  }

  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Takes room and gives what frees it, once. Throws where there is none now. */
  admit(sizeBytes: number, { name }: Caller = anyone): () => void {
    const shares = this.#shares();
    if (commonUse(this.#byCaller, shares, name, sizeBytes) > shares.common) throw this.#full();
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
