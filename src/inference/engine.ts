import type { GraphDtype } from '../model/graph-io.ts';

/** Graph outputs of a batch. `tokens[dtype]` is `views * tokens * channels` little-endian values, view after view. */
export interface EncodedBatch {
  readonly tokens: Partial<Record<GraphDtype, Uint8Array<ArrayBuffer>>>;
  /** For each dtype that was asked for and each view, whether every token is finite in that dtype. */
  readonly finite: Partial<Record<GraphDtype, readonly boolean[]>>;
  /** Time of the native call, in milliseconds. */
  readonly engineMs: number;
  /** From the end of the native call before to the start of this one; unknown of the first. */
  readonly idleMs?: number | undefined;
}

/**
 * Runs one model's views on one device. Knows nothing of images or callers.
 *
 * `encode` takes views of `imageSize * imageSize * 3` uint8 RGB and gives tokens of the dtypes asked for. Calls
 * are run in the order they were made; a second call made while one runs is prepared and starts the moment the
 * first ends. The views' buffers are gone when it resolves, and the caller's again when it rejects. Rejects with
 * `unavailable` when the engine is down, `internal` when the run failed.
 */
export interface Engine {
  encode(views: readonly Uint8Array<ArrayBuffer>[], dtypes: readonly GraphDtype[]): Promise<EncodedBatch>;
  close(): Promise<void>;
}
