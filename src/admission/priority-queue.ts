import type { SchedulingClass, Priority } from './priority.ts';
import { FairQueue } from './fair-queue.ts';

/**
 * After so many batches in a row that had no room for bulk, bulk goes first once: interactive requests that never end
 * slow it to a crawl, and do not stop it.
 */
export const bulkPatience = 32;

/** What waits for the engine: interactive before bulk, and within each the callers by their weights. */
export class PriorityQueue<T extends SchedulingClass> {
  readonly #lanes: Readonly<Record<Priority, FairQueue<T>>> = {
    interactive: new FairQueue(),
    bulk: new FairQueue(),
  };
  /** Batches in a row that left bulk waiting. */
  #passedOver = 0;

  get size(): number {
    return this.#lanes.interactive.size + this.#lanes.bulk.size;
  }

  add(item: T): void {
    this.#lanes[item.priority].add(item.caller, item);
  }

  /** Whether it was still waiting. */
  delete(item: T): boolean {
    return this.#lanes[item.priority].delete(item.caller, item);
  }

  /** Takes the next batch out, of at most `count`. */
  take(count: number): T[] {
    const { interactive, bulk } = this.#lanes;
    const bulkFirst = bulk.size > 0 && this.#passedOver >= bulkPatience;
    const taken: T[] = [];
    for (const lane of bulkFirst ? [bulk, interactive] : [interactive, bulk]) {
      while (taken.length < count) {
        const item = lane.take();
        if (item === undefined) break;
        taken.push(item);
      }
    }
    const hasBulk = taken.some(({ priority }) => priority === 'bulk');
    this.#passedOver = hasBulk || bulk.size === 0 ? 0 : this.#passedOver + 1;
    return taken;
  }
}
