interface Waiting {
  readonly size: number;
  readonly enter: () => void;
  readonly refuse: (reason: unknown) => void;
}

/**
 * Lets at most `slots` pieces of work run at a time, whose sizes make at most `room`, first come, first served. What is
 * larger than the room runs alone.
 */
export class Semaphore {
  readonly #slots: number;
  readonly #room: number;
  #running = 0;
  #used = 0;
  #closed: unknown;
  readonly #idle: (() => void)[] = [];
  readonly #waiting = new Set<Waiting>();

  constructor(slots: number, room = Number.POSITIVE_INFINITY) {
    this.#slots = slots;
    this.#room = room;
  }

  /** Runs `work` in a slot. One that waits leaves the line when `signal` fires, and rejects with its reason. */
  async run<T>(signal: AbortSignal, work: () => Promise<T>, size = 0): Promise<T> {
    signal.throwIfAborted();
    if (this.#closed !== undefined) throw this.#closed;
    if (this.#waiting.size === 0 && this.#fits(size)) this.#enter(size);
    else await this.#turn(signal, size);
    try {
      return await work();
    } finally {
      this.#release(size);
    }
  }

  /** Refuses what waits and whatever comes, with `reason`; resolves when what runs has ended. */
  async close(reason: Error): Promise<void> {
    this.#closed = reason;
    for (const { refuse } of this.#waiting) refuse(reason);
    if (this.#running > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #turn(signal: AbortSignal, size: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        waiting.refuse(signal.reason);
        // It may have stood before smaller ones that fit.
        this.#admit();
      };
      const waiting: Waiting = {
        size,
        enter: () => {
          signal.removeEventListener('abort', leave);
          this.#enter(size);
          resolve();
        },
        refuse: (reason) => {
          this.#waiting.delete(waiting);
          signal.removeEventListener('abort', leave);
          reject(reason);
        },
      };
      signal.addEventListener('abort', leave);
      this.#waiting.add(waiting);
    });
  }

  #fits(size: number): boolean {
    return this.#running === 0 || (this.#running < this.#slots && this.#used + size <= this.#room);
  }

  #enter(size: number): void {
    this.#running++;
    this.#used += size;
  }

  #release(size: number): void {
    this.#running--;
    this.#used -= size;
    this.#admit();
    if (this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Lets in who is next in line, while they fit. */
  #admit(): void {
    for (const waiting of this.#waiting) {
      if (!this.#fits(waiting.size)) return;
      this.#waiting.delete(waiting);
      waiting.enter();
    }
  }
}
