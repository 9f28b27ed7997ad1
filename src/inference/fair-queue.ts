import type { Caller } from '../caller.ts';

interface Line<T> {
  readonly items: Set<T>;
  weight: number;
  /** The virtual time at which its next item is due. */
  due: number;
}

/**
 * Distinct items of several callers, taken in proportion to the callers' weights: start-time fair queueing (Goyal, Vin and Cheng
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
    line.items.add(item);
    this.#size++;
  }

  /** Whether it was there. */
  delete({ name }: Caller, item: T): boolean {
    const line = this.#lines.get(name);
    if (line === undefined || !line.items.delete(item)) return false;
    this.#size--;
    if (line.items.size === 0) this.#lines.delete(name);
    return true;
  }

  /** Takes the next item out; undefined when there is none. */
  take(): T | undefined {
    const next = this.#next();
    if (next === undefined) return undefined;
    const { name, line } = next;
    const [item] = line.items as ReadonlySet<T>;
    this.#now = line.due;
    line.due += 1 / line.weight;
    line.items.delete(item!);
    this.#size--;
    if (line.items.size === 0) this.#lines.delete(name);
    return item;
  }

  #next(): { readonly name: string | undefined; readonly line: Line<T> } | undefined {
    let next: { readonly name: string | undefined; readonly line: Line<T> } | undefined;
    for (const [name, line] of this.#lines) {
      if (next === undefined || line.due < next.line.due) next = { name, line };
    }
    return next;
  }
}
