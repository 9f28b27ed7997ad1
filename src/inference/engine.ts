import type { GraphDtype } from '../model/graph-io.ts';

/** The graph's outputs for a batch. `tokens[dtype]` has `views * tokens * channels` little-endian values. */
export interface EncodedBatch {
  readonly tokens: Partial<Record<GraphDtype, Uint8Array<ArrayBuffer>>>;
  /** For each requested dtype and each view, whether every token is finite in that dtype. */
  readonly finite: Partial<Record<GraphDtype, readonly boolean[]>>;
  /** The time of the native call, in milliseconds. */
  readonly engineMs: number;
  /** From the end of the previous native call to the start of this one. Undefined for the first. */
  readonly idleMs?: number | undefined;
}

/**
 * Runs views through one model on one device. It knows nothing of images or callers.
 *
 * `encode` takes views of `imageSize * imageSize * 3` uint8 RGB and returns their tokens in the requested dtypes. Calls
 * run in order. A second call is prepared while the first runs, and starts as soon as the first ends. The views' buffers
 * are gone when `encode` resolves, and the caller's again when it rejects. It rejects with `unavailable` when the engine
 * is down, and with `internal` when the run fails.
 */
export interface Engine {
  encode(views: readonly Uint8Array<ArrayBuffer>[], dtypes: readonly GraphDtype[]): Promise<EncodedBatch>;
  close(): Promise<void>;
}
