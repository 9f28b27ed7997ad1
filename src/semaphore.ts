/** Lets at most `slots` pieces of work run at a time, first come, first served. */
export class Semaphore {
  readonly #slots: number;
  #free: number;
  #closed: unknown;
  readonly #idle: (() => void)[] = [];
  readonly #waiting = new Map<() => void, (reason: unknown) => void>();

  constructor(slots: number) {
    this.#slots = slots;
    this.#free = slots;
  }

  /** Runs `work` in a slot. One that waits leaves the line when `signal` fires, and rejects with its reason. */
  async run<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    signal.throwIfAborted();
    if (this.#closed !== undefined) throw this.#closed;
    if (this.#free > 0) this.#free--;
    else await this.#turn(signal);
    try {
      return await work();
    } finally {
      this.#release();
    }
  }

  /** Refuses what waits and whatever comes, with `reason`; resolves when what runs has ended. */
  async close(reason: Error): Promise<void> {
    this.#closed = reason;
    for (const refuse of this.#waiting.values()) refuse(reason);
    if (this.#free < this.#slots) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const refuse = (reason: unknown) => {
        this.#waiting.delete(enter);
        signal.removeEventListener('abort', leave);
        reject(reason);
      };
      const leave = () => refuse(signal.reason);
      const enter = () => {
        signal.removeEventListener('abort', leave);
        resolve();
      };
      signal.addEventListener('abort', leave);
      this.#waiting.set(enter, refuse);
    });
  }

  /** The slot passes to the next in line, or is free. */
  #release(): void {
    const [next] = this.#waiting.keys();
    if (next === undefined) {
      this.#free++;
      if (this.#free === this.#slots) for (const resolve of this.#idle.splice(0)) resolve();
      return;
    }
    this.#waiting.delete(next);
    next();
  }
}
