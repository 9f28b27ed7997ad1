import type { GraphDtype } from '../model/graph-io.ts';

/** Where a session runs. `deviceId` counts the CUDA devices that the process can see. */
export type Device = { readonly kind: 'cpu' } | { readonly kind: 'cuda'; readonly deviceId: number };

/** What the engine's thread is started with. */
export interface WorkerStart {
  /** Path of the ONNX graph; its external data lies beside it. */
  readonly graphPath: string;
  readonly device: Device;
  /** Threads of one operator, on a CPU. */
  readonly threads: number;
  readonly imageSize: number;
}

/** A batch to run. */
export interface RunRequest {
  readonly kind: 'run';
  readonly id: number;
  /** Of so many views, one after the other. The memory is the sender's again with the reply. */
  readonly pixels: Uint8Array<SharedArrayBuffer>;
  readonly views: number;
  readonly dtypes: readonly GraphDtype[];
}

/** Main thread to engine thread. After `close` the thread ends by itself, once its native call is over. */
export type WorkerRequest = RunRequest | { readonly kind: 'close' };

/** Engine thread to main thread. Token buffers are transferred. */
export type WorkerReply =
  | { readonly kind: 'started' }
  | { readonly kind: 'start-failed'; readonly reason: string }
  | {
      readonly kind: 'ran';
      readonly id: number;
      readonly tokens: Partial<Record<GraphDtype, Uint8Array<ArrayBuffer>>>;
      readonly finite: Partial<Record<GraphDtype, readonly boolean[]>>;
      readonly engineMs: number;
      readonly idleMs?: number | undefined;
    }
  | { readonly kind: 'run-failed'; readonly id: number; readonly reason: string };
