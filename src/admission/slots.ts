import { PriorityQueue } from './priority-queue.ts';
import { type SchedulingClass, defaultTerms } from './priority.ts';

interface Waiting extends SchedulingClass {
  readonly size: number;
  readonly enter: () => void;
  readonly refuse: (reason: unknown) => void;
}

/**
 * Lets at most `slots` pieces of work run at a time, whose sizes make at most `room`, in the order in which the
 * engine takes views. What is larger than the room runs alone.
 */
export class Slots {
  readonly #slots: number;
  readonly #room: number;
  #running = 0;
  #used = 0;
  #closed: unknown;
  readonly #idle: (() => void)[] = [];
  readonly #waiting = new PriorityQueue<Waiting>();
  /** Who is next, and does not fit yet. */
  #next: Waiting | undefined;

  constructor(slots: number, room = Number.POSITIVE_INFINITY) {
    this.#slots = slots;
    this.#room = room;
  }

  /** Runs `work` in a slot. One that waits leaves the line when `signal` fires, and rejects with its reason. */
  async run<T>(
    signal: AbortSignal,
    work: () => Promise<T>,
    size = 0,
    schedulingClass: SchedulingClass = defaultTerms,
  ): Promise<T> {
    signal.throwIfAborted();
    if (this.#closed !== undefined) throw this.#closed;
    if (this.#next === undefined && this.#waiting.size === 0 && this.#fits(size)) this.#enter(size);
    else await this.#turn(signal, size, schedulingClass);
    try {
      return await work();
    } finally {
      this.#release(size);
    }
  }

  /** Refuses what waits and whatever comes, with `reason`; resolves when what runs has ended. */
  async close(reason: Error): Promise<void> {
    this.#closed = reason;
    this.#next?.refuse(reason);
    for (const { refuse } of this.#waiting.take(this.#waiting.size)) refuse(reason);
    if (this.#running > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #turn(signal: AbortSignal, size: number, { caller, priority }: SchedulingClass): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = () => {
        waiting.refuse(signal.reason);
        // It may have stood before smaller ones that fit.
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
    // Who is next is not decided before it has a slot: whoever comes meanwhile may stand before it.
    while (this.#running < this.#slots) {
      this.#next ??= this.#waiting.take(1)[0];
      const next = this.#next;
      if (next === undefined || !this.#fits(next.size)) return;
      this.#next = undefined;
      next.enter();
    }
  }
}
