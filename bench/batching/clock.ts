interface Event {
  readonly atMs: number;
  readonly order: number;
  readonly act: () => void;
}

/**
 * Time that is not waited for: events are acted on in order, and after each one every promise that it settled is
 * followed to its end before time moves on. Code that lives on promises and an injected clock runs as it is.
 */
export class SimulatedClock {
  readonly #heap: Event[] = [];
  #order = 0;
  #nowMs = 0;

  readonly now = (): number => this.#nowMs;

  at(atMs: number, act: () => void): void {
    const event = { atMs, order: this.#order++, act };
    const heap = this.#heap;
    let index = heap.push(event) - 1;
    for (
      let parent = (index - 1) >> 1;
      index > 0 && isBefore(event, heap[parent]!);
      parent = (index - 1) >> 1
    ) {
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = event;
  }

  after(delayMs: number, act: () => void): void {
    this.at(this.#nowMs + delayMs, act);
  }

  /** Acts until no event is left. */
  async run(): Promise<void> {
    for (let event = this.#pop(); event !== undefined; event = this.#pop()) {
      this.#nowMs = event.atMs;
      event.act();
      await new Promise(setImmediate);
    }
  }

  #pop(): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined || heap.length === 0) return first;
    let index = 0;
    for (;;) {
      const left = 2 * index + 1;
      if (left >= heap.length) break;
      const right = left + 1;
      const child = right < heap.length && isBefore(heap[right]!, heap[left]!) ? right : left;
      if (!isBefore(heap[child]!, last)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
    return first;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
