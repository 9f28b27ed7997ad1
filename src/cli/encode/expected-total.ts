/** How many images there are: as many as files are given, and for tars as many as the part that was read lets expect. */
export class ExpectedTotal {
  readonly #files: number;
  readonly #tarBytes: number;
  #members = 0;
  /** Bytes of the tars that have been read to their end, and of the one that is being read. */
  #endedBytes = 0;
  #currentBytes = 0;

  constructor(files: number, tarBytes: number) {
    this.#files = files;
    this.#tarBytes = tarBytes;
  }

  /** Counts an image of a tar, of which `readBytes` bytes have been read so far. */
  addMember(readBytes: number): void {
    this.#members += 1;
    this.#currentBytes = readBytes;
  }

  endTar(sizeBytes: number): void {
    this.#endedBytes += sizeBytes;
    this.#currentBytes = 0;
  }

  get images(): number {
    const passedBytes = this.#endedBytes + this.#currentBytes;
    const factor = passedBytes === 0 ? 1 : Math.max(1, this.#tarBytes / passedBytes);
    return this.#files + Math.round(this.#members * factor);
  }
}
