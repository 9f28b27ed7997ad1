import type { SchedulingClass, Priority } from './priority.ts';
import { FairQueue } from './fair-queue.ts';

/**
 * After this many batches in a row without room for bulk, bulk goes first once. An endless stream of interactive
 * requests slows bulk down to a crawl but never stops it.
 */
export const bulkPatience = 32;

/** Items that wait for their turn: interactive before bulk, and within each priority callers by weight. */
export class PriorityQueue<T extends SchedulingClass> {
  readonly #lanes: Readonly<Record<Priority, FairQueue<T>>> = {
    interactive: new FairQueue(),
    bulk: new FairQueue(),
  };
  /** Batches in a row that left bulk items waiting. */
  #passedOver = 0;

  get size(): number {
    return this.#lanes.interactive.size + this.#lanes.bulk.size;
  }

  add(item: T): void {
    this.#lanes[item.priority].add(item.caller, item);
  }

  /** Returns whether the item was still waiting. */
  delete(item: T): boolean {
    return this.#lanes[item.priority].delete(item.caller, item);
  }

  /** Removes and returns the next batch of at most `count` items. */
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
