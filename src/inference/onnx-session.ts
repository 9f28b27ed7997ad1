import { InferenceSession, Tensor } from 'onnxruntime-node';
import { graphInput, graphOutputs } from '../model/graph-io.ts';
import type { GraphValue, RunGraph } from '../model/run-parts.ts';
import type { EncodedBatch } from './engine.ts';
import type { GraphDtype } from '../model/graph-io.ts';
import type { WorkerStart } from './worker-protocol.ts';

/** A session of ONNX Runtime on one graph. Its native calls block the thread: it lives on one of its own. */
export class OnnxSession {
  readonly #session: InferenceSession;
  readonly #imageSize: number;
  /** When the last run ended. */
  #endedAt: number | undefined;

  private constructor(session: InferenceSession, imageSize: number) {
    this.#session = session;
    this.#imageSize = imageSize;
  }

  /** Rejects with ONNX Runtime's own error when the graph, its weights or the device cannot be used. */
  static async open({ graphPath, device, threads, imageSize }: WorkerStart): Promise<OnnxSession> {
    const session = await InferenceSession.create(graphPath, {
      ...cpuOptions(threads),
      executionProviders:
        device.kind === 'cpu' ? ['cpu'] : [{ name: 'cuda', deviceId: device.deviceId }, 'cpu'],
    });
    return new OnnxSession(session, imageSize);
  }

  async run(views: readonly Uint8Array<ArrayBuffer>[], dtypes: readonly GraphDtype[]): Promise<EncodedBatch> {
    const side = this.#imageSize;
    const pixels = new Tensor('uint8', joined(views), [views.length, side, side, 3]);
    const outputs = dtypes.flatMap((dtype) => Object.values(graphOutputs[dtype]));
    const start = performance.now();
    const results = await this.#session.run({ [graphInput]: pixels }, outputs);
    const idleMs = this.#endedAt === undefined ? undefined : start - this.#endedAt;
    this.#endedAt = performance.now();
    const engineMs = this.#endedAt - start;
    const tokens: Partial<Record<GraphDtype, Uint8Array<ArrayBuffer>>> = {};
    const finite: Partial<Record<GraphDtype, readonly boolean[]>> = {};
    for (const dtype of dtypes) {
      tokens[dtype] = bytesOf(results[graphOutputs[dtype].tokens]);
      finite[dtype] = Array.from(bytesOf(results[graphOutputs[dtype].finite]), (flag) => flag !== 0);
    }
    return { tokens, finite, engineMs, idleMs };
  }

  async close(): Promise<void> {
    await this.#session.release();
  }
}

function cpuOptions(threads: number): InferenceSession.SessionOptions {
  return {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
    // Spinning threads take the cores that decoding and the sockets need.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  };
}

/** Runs graphs on the CPU, in the calling thread, which they block. */
export function graphRunner(threads: number): RunGraph {
  return async (path, inputs, outputs) => {
    const session = await InferenceSession.create(path, cpuOptions(threads));
    try {
      const results: Record<string, GraphValue>[] = [];
      for (const values of inputs) {
        const feeds = Object.entries(values).map(
          ([name, { type, data, shape }]) => [name, new Tensor(type, data, shape)] as const,
        );
        const made = await session.run(Object.fromEntries(feeds), outputs);
        results.push(Object.fromEntries(outputs.map((name) => [name, valueOf(made[name])])));
      }
      return results;
    } finally {
      await session.release();
    }
  };
}

function valueOf(tensor: Tensor | undefined): GraphValue {
  const { buffer, byteOffset, byteLength } = bytesOf(tensor);
  return { type: 'float32', shape: tensor!.dims, data: new Float32Array(buffer, byteOffset, byteLength / 4) };
}

function joined(views: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  if (views.length === 1) return views[0]!;
  const all = new Uint8Array(views.reduce((bytes, view) => bytes + view.byteLength, 0));
  let offset = 0;
  for (const view of views) {
    all.set(view, offset);
    offset += view.byteLength;
  }
  return all;
}

/** The values as bytes: float16 is a Uint16Array on Node 20 and a Float16Array on Node 24. */
function bytesOf(tensor: Tensor | undefined): Uint8Array<ArrayBuffer> {
  const data = tensor?.data;
  if (!ArrayBuffer.isView(data) || !(data.buffer instanceof ArrayBuffer)) {
    throw new TypeError('the graph gave an output that is not an array of numbers');
  }
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
