import type { GraphOutput, PerOutput } from '../model/graph-io.ts';

/** Where a model runs. `deviceId` counts the CUDA devices that the process can see. */
export type Device = { readonly kind: 'cpu' } | { readonly kind: 'cuda'; readonly deviceId: number };

/**
 * What the graphs of an engine take: pixels of square views, uint8 [views, side, side, 3], or features, float32
 * [views, rows, channels], with any number of rows.
 */
export type EngineInput =
  | { readonly kind: 'pixels'; readonly side: number }
  | { readonly kind: 'features'; readonly channels: number };

/** What the engine's thread is started with. */
export interface WorkerStart {
  /** The model folder. */
  readonly folder: string;
  /** The graphs to run, in order. Encoder and projector run on `device`, the others on the CPU. */
  readonly graphs: readonly string[];
  readonly device: Device;
  /** Threads that one operator may use on a CPU. */
  readonly threads: number;
  /** Whether sessions on the CPU run from the mapped weights, which all of them share, without a faster copy of their own. */
  readonly sharesWeights?: boolean | undefined;
  readonly input: EngineInput;
}

/** A batch to run. */
export interface RunRequest {
  readonly kind: 'run';
  readonly id: number;
  /** All views, one after another. With the reply the memory is the sender's again. */
  readonly input: Uint8Array<SharedArrayBuffer>;
  readonly views: number;
  readonly outputs: readonly GraphOutput[];
}

/** Main thread to engine thread. After `close` the thread ends by itself, when its native call returns. */
export type WorkerRequest = RunRequest | { readonly kind: 'close' };

/** Engine thread to main thread. The tokens' buffers are transferred. */
export type WorkerReply =
  | { readonly kind: 'started' }
  | { readonly kind: 'start-failed'; readonly reason: string }
  | {
      readonly kind: 'ran';
      readonly id: number;
      readonly tokens: PerOutput<Uint8Array<ArrayBuffer>>;
      readonly finite: PerOutput<readonly boolean[]>;
      readonly engineMs: number;
      readonly idleMs?: number | undefined;
    }
  | { readonly kind: 'run-failed'; readonly id: number; readonly reason: string };
