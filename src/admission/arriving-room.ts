/**
 * Taken at the start, and then as much again as has come: what is announced and does not come takes no room of
 * others.
 */
const firstBytes = 64 * 1024;

/** Room for what arrives bit by bit. Takes it by `admit`, which throws where there is none. */
export class ArrivingRoom {
  readonly #admit: (sizeBytes: number) => () => void;
  readonly #announcedBytes: number;
  readonly #releases: (() => void)[] = [];
  #heldBytes = 0;
  #arrivedBytes = 0;
  #isReleased = false;

  /** Throws at once where there is no room now for all that is announced. */
  constructor(admit: (sizeBytes: number) => () => void, announcedBytes: number) {
    this.#admit = admit;
    this.#announcedBytes = announcedBytes;
    admit(announcedBytes)();
    this.#hold(Math.min(announcedBytes, firstBytes));
  }

  /** So many bytes more have come; throws where there is no room for them. */
  add(sizeBytes: number): void {
    // Of what was refused the rest may still come.
    if (this.#isReleased) return;
    this.#arrivedBytes += sizeBytes;
    if (this.#arrivedBytes <= this.#heldBytes) return;
    const wanted = Math.min(this.#announcedBytes, 2 * this.#heldBytes);
    this.#hold(Math.max(wanted, this.#arrivedBytes) - this.#heldBytes);
  }

  /** Takes what is wanting of all that is announced; throws where there is no room for it. */
  takeAll(): void {
    if (!this.#isReleased && this.#heldBytes < this.#announcedBytes)
      this.#hold(this.#announcedBytes - this.#heldBytes);
  }

  /** It has come to no more than this: the rest of the room is given back. */
  settle(sizeBytes: number): void {
    if (sizeBytes >= this.#heldBytes) return;
    this.#giveBack();
    this.#hold(sizeBytes);
  }

  /** Gives all of it back; it takes none any more. */
  release(): void {
    this.#isReleased = true;
    this.#giveBack();
  }

  #giveBack(): void {
    for (const release of this.#releases.splice(0)) release();
    this.#heldBytes = 0;
  }

  #hold(sizeBytes: number): void {
    this.#releases.push(this.#admit(sizeBytes));
    this.#heldBytes += sizeBytes;
  }
}
