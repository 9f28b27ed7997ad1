import type { Caller } from './caller.ts';

/** The waiting items of one caller. */
interface Line<T> {
  readonly items: Set<T>;
  weight: number;
  /** The virtual time of its next item. Kept while the line is empty, so that sending one at a time gains nothing. */
  due: number;
}

/**
 * A queue that serves callers in proportion to their weights, and each caller's items first in, first out. This is
 * start-time fair queueing (Goyal, Vin and Cheng 1996): a caller that was away has nothing saved up. Items are distinct.
 */
export class FairQueue<T> {
  readonly #lines = new Map<string | undefined, Line<T>>();
  /** The virtual time of the last item taken. */
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

  /** Returns whether the item was waiting. */
  delete({ name }: Caller, item: T): boolean {
    const line = this.#lines.get(name);
    if (line === undefined || !line.items.delete(item)) return false;
    this.#size--;
    return true;
  }

  /** Removes and returns the next item; undefined when the queue is empty. */
  take(): T | undefined {
    const next = this.#next();
    if (next === undefined) return undefined;
    const [item] = next.items as ReadonlySet<T>;
    this.#now = next.due;
    next.due += 1 / next.weight;
    next.items.delete(item!);
    this.#size--;
    this.#dropIdleLines();
    return item;
  }

  #next(): Line<T> | undefined {
    let next: Line<T> | undefined;
    for (const line of this.#lines.values()) {
      if (line.items.size > 0 && (next === undefined || line.due < next.due)) next = line;
    }
    return next;
  }

  /** Drops empty lines that are not ahead of the others. A new line would start at the same time. */
  #dropIdleLines(): void {
    for (const [name, { items, due }] of this.#lines) {
      if (items.size === 0 && due <= this.#now) this.#lines.delete(name);
    }
  }
}
