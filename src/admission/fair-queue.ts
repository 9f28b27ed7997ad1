import type { Caller } from './caller.ts';

interface Line<T> {
  readonly items: Set<T>;
  weight: number;
  /**
   * The virtual time at which its next item is due, also while it has none: who comes one at a time takes turns as
   * well.
   */
  due: number;
}

/**
 * Distinct items of several callers, taken in proportion to the callers' weights: start-time fair queueing (Goyal,
 * Vin and Cheng
 * 1996), in which a caller that was away is owed nothing. Each caller's own come in the order in which they joined.
 */
export class FairQueue<T> {
  readonly #lines = new Map<string | undefined, Line<T>>();
  /** The virtual time of what was taken last. */
  #now = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add({ name, weight }: Caller, item: T): void {
    let line = this.#lines.get(name);
    if (line === undefined) {
      line = { items: new Set(), weight, due: this.#now };
      this.#lines.set(name, line);
    }
    line.weight = weight;
    if (line.items.size === 0) line.due = Math.max(line.due, this.#now);
    line.items.add(item);
    this.#size++;
  }

  /** Whether it was there. */
  delete({ name }: Caller, item: T): boolean {
    const line = this.#lines.get(name);
    if (line === undefined || !line.items.delete(item)) return false;
    this.#size--;
    return true;
  }

  /** Takes the next item out; undefined when there is none. */
  take(): T | undefined {
    const next = this.#next();
    if (next === undefined) return undefined;
    const [item] = next.items as ReadonlySet<T>;
    this.#now = next.due;
    next.due += 1 / next.weight;
    next.items.delete(item!);
    this.#size--;
    this.#forget();
    return item;
  }

  #next(): Line<T> | undefined {
    let next: Line<T> | undefined;
    for (const line of this.#lines.values()) {
      if (line.items.size > 0 && (next === undefined || line.due < next.due)) next = line;
    }
    return next;
  }

  /** A line that is empty and not ahead of the others is as one that has never been. */
  #forget(): void {
    for (const [name, { items, due }] of this.#lines) {
      if (items.size === 0 && due <= this.#now) this.#lines.delete(name);
    }
  }
}
