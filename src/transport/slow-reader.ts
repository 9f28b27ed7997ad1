export interface ReadingLimitSettings {
  /** Whatever the answer's length. */
  readonly graceMs: number;
  /** The slowest that an answer may be read. */
  readonly bytesPerSecond: number;
  /** Called when the time is over. */
  readonly onLate: () => void;
  readonly now: () => number;
}

/**
 * Bounds the time in which a client reads an answer: an idle time alone lets one that takes a byte now and then hold
 * its tokens for ever. The time runs while bytes wait for the client, not while the answer is made.
 */
export class ReadingLimit {
  readonly #settings: ReadingLimitSettings;
  #leftMs: number;
  #unreadBytes = 0;
  #waiting: { readonly timer: NodeJS.Timeout; readonly startedAt: number } | undefined;

  constructor(settings: ReadingLimitSettings) {
    this.#settings = settings;
    this.#leftMs = settings.graceMs;
  }

  /** So many bytes have been written to the client. */
  add(sizeBytes: number): void {
    this.#unreadBytes += sizeBytes;
    this.#leftMs += this.#msOf(sizeBytes);
  }

  /** So many of them have been read: who reads fast saves no time up for what comes later. */
  read(sizeBytes: number): void {
    const wasWaiting = this.#waiting !== undefined;
    this.stop();
    this.#unreadBytes -= sizeBytes;
    this.#leftMs = Math.min(this.#leftMs, this.#settings.graceMs + this.#msOf(this.#unreadBytes));
    if (wasWaiting) this.start();
  }

  /** From now on the client is waited for. */
  start(): void {
    const { now, onLate } = this.#settings;
    this.#waiting ??= { timer: setTimeout(onLate, Math.max(0, this.#leftMs)), startedAt: now() };
  }

  stop(): void {
    if (this.#waiting === undefined) return;
    clearTimeout(this.#waiting.timer);
    this.#leftMs -= this.#settings.now() - this.#waiting.startedAt;
    this.#waiting = undefined;
  }

  #msOf(sizeBytes: number): number {
    return (sizeBytes / this.#settings.bytesPerSecond) * 1000;
  }
}
