import type { StopSignal } from '../errors/abort.ts';
import { PriorityQueue } from './priority-queue.ts';
import { type SchedulingClass, defaultTerms } from './priority.ts';

interface Waiting extends SchedulingClass {
  readonly size: number;
  readonly enter: () => void;
  readonly refuse: (reason: unknown) => void;
}

/**
 * Runs at most `slots` pieces of work at a time, with sizes of at most `maxSize` together. Work larger than that runs
 * alone. Waiting work starts in the order in which the engine takes views.
 */
export class Slots {
  readonly #slots: number;
  readonly #maxSize: number;
  #running = 0;
  #runningSize = 0;
  #closed: unknown;
  readonly #idle: (() => void)[] = [];
  readonly #waiting = new PriorityQueue<Waiting>();
  /** The next in line, which does not fit yet. */
  #next: Waiting | undefined;

  constructor(slots: number, maxSize = Number.POSITIVE_INFINITY) {
    this.#slots = slots;
    this.#maxSize = maxSize;
  }

  /** Runs `work` in a slot. If `signal` fires first, rejects with its reason and never runs `work`. */
  async run<T>(
    signal: StopSignal,
    work: () => Promise<T>,
    size = 0,
    schedulingClass: SchedulingClass = defaultTerms,
  ): Promise<T> {
    if (signal.aborted) throw signal.reason;
    if (this.#closed !== undefined) throw this.#closed;
    if (this.#next === undefined && this.#waiting.size === 0 && this.#fits(size)) this.#enter(size);
    else await this.#turn(signal, size, schedulingClass);
    try {
      return await work();
    } finally {
      this.#release(size);
    }
  }

  /** Rejects waiting and later work with `reason`. Resolves when the running work has ended. */
  async close(reason: Error): Promise<void> {
    this.#closed = reason;
    this.#next?.refuse(reason);
    for (const { refuse } of this.#waiting.take(this.#waiting.size)) refuse(reason);
    if (this.#running > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #turn(signal: StopSignal, size: number, { caller, priority }: SchedulingClass): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        waiting.refuse(signal.reason);
        // Smaller work behind it may fit.
        this.#admit();
      };
      const waiting: Waiting = {
        caller,
        priority,
        size,
        enter: () => {
          signal.removeEventListener('abort', leave);
          this.#enter(size);
          resolve();
        },
        refuse: (reason) => {
          if (this.#next === waiting) this.#next = undefined;
          else this.#waiting.delete(waiting);
          signal.removeEventListener('abort', leave);
          reject(reason);
        },
      };
      signal.addEventListener('abort', leave);
      this.#waiting.add(waiting);
      this.#admit();
    });
  }

  #fits(size: number): boolean {
    if (this.#running === 0) return true;
    return this.#running < this.#slots && this.#runningSize + size <= this.#maxSize;
  }

  #enter(size: number): void {
    this.#running++;
    this.#runningSize += size;
  }

  #release(size: number): void {
    this.#running--;
    this.#runningSize -= size;
    this.#admit();
    if (this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Starts waiting work in turn, as long as it fits. */
  #admit(): void {
    // The next in line is chosen only when a slot is free: until then, later work may still come before it.
    while (this.#running < this.#slots) {
      this.#next ??= this.#waiting.take(1)[0];
      const next = this.#next;
      if (next === undefined || !this.#fits(next.size)) return;
      this.#next = undefined;
      next.enter();
    }
  }
}
