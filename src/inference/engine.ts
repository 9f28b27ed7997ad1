import type { GraphOutput, PerOutput } from '../model/graph-io.ts';

/** The graph's outputs for a batch. `tokens[output]` has `views * tokens * channels` little-endian values. */
export interface EncodedBatch {
  readonly tokens: PerOutput<Uint8Array<ArrayBuffer>>;
  /** For each requested output and each view, whether every token is finite in its dtype. */
  readonly finite: PerOutput<readonly boolean[]>;
  /** The time of the native call, in milliseconds. */
  readonly engineMs: number;
  /** From the end of the previous native call to the start of this one. Undefined for the first. */
  readonly idleMs?: number | undefined;
}

/**
 * Runs views through one model on one device. It knows nothing of images or callers.
 *
 * `encode` takes views of `imageSize * imageSize * 3` uint8 RGB and returns the requested outputs. The engine of a projector
 * takes float32 features, one map at a time. Calls run in order. A second call is prepared while the first runs, and
 * starts as soon as the first ends. When `encode` resolves, the buffers of views whose tokens are finite are gone. All
 * others are the caller's again. It rejects with `unavailable` when the engine is down, and with `internal` when the run
 * fails.
 */
export interface Engine {
  encode(views: readonly Uint8Array<ArrayBuffer>[], outputs: readonly GraphOutput[]): Promise<EncodedBatch>;
  close(): Promise<void>;
}

/**
 * Whether an engine takes work. `late`: its batch takes much longer than expected; `down`: it is being replaced; `ended`: it
 * never works again.
 */
export type EngineState = 'up' | 'late' | 'down' | 'ended';
