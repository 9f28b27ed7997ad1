import type { EncodedBatch, Engine } from '../../src/inference/engine.ts';
import type { GraphOutput, PerOutput } from '../../src/model/graph-io.ts';

/** A batch that the test ends. */
export interface HeldBatch {
  readonly views: readonly Uint8Array<ArrayBuffer>[];
  readonly outputs: readonly GraphOutput[];
  /** Ends the run. Each view's tokens are four bytes, and the first is the view's own first byte. */
  finish(outcome?: { readonly engineMs?: number; readonly finite?: EncodedBatch['finite'] }): void;
  fail(error: Error): void;
}

/** An engine whose batches wait at a gate. */
export class GatedEngine implements Engine {
  readonly batches: HeldBatch[] = [];
  closed = false;
  #open = false;

  /** From now on every batch ends at once. */
  openGate(): void {
    this.#open = true;
    for (const batch of this.batches) batch.finish();
  }

  encode(views: readonly Uint8Array<ArrayBuffer>[], outputs: readonly GraphOutput[]): Promise<EncodedBatch> {
    return new Promise((resolve, reject) => {
      this.batches.push({
        views,
        outputs,
        finish: ({
          engineMs = 1,
          finite = { float16: views.map(() => true), float32: views.map(() => true) },
        } = {}) => {
          const tokens: PerOutput<Uint8Array<ArrayBuffer>> = {};
          for (const output of outputs) {
            tokens[output] = new Uint8Array(
              views.flatMap((view) => [view[0] ?? 0, output === 'float16' ? 16 : 32, 0, 0]),
            );
          }
          resolve({ tokens, finite, engineMs });
        },
        fail: reject,
      });
      if (this.#open) this.batches.at(-1)!.finish();
    });
  }

  async close(): Promise<void> {
    this.closed = true;
  }
}
