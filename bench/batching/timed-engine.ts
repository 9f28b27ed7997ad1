import type { EncodedBatch, Engine } from '../../src/inference/engine.ts';
import type { SimulatedClock } from './clock.ts';

/** t(b) of the stub: what a batch of b views takes. */
export function batchMs(views: number): number {
  return 20 + 5 * views;
}

/** An engine that takes t(b) of simulated time, one batch after the other, and computes nothing. */
export class TimedEngine implements Engine {
  readonly #clock: SimulatedClock;
  #freeAtMs = 0;
  #batches = 0;
  #views = 0;

  constructor(clock: SimulatedClock) {
    this.#clock = clock;
  }

  get views(): number {
    return this.#views;
  }

  /** Views in a batch, on average. */
  get meanBatch(): number {
    return this.#views / this.#batches;
  }

  encode(views: readonly Uint8Array<ArrayBuffer>[]): Promise<EncodedBatch> {
    const engineMs = batchMs(views.length);
    this.#batches++;
    this.#views += views.length;
    this.#freeAtMs = Math.max(this.#freeAtMs, this.#clock.now()) + engineMs;
    return new Promise((resolve) => {
      this.#clock.at(this.#freeAtMs, () =>
        resolve({
          tokens: { float16: new Uint8Array(views.length), float32: new Uint8Array(views.length) },
          finite: { float16: views.map(() => true), float32: views.map(() => true) },
          engineMs,
        }),
      );
    });
  }

  async close(): Promise<void> {}
}
