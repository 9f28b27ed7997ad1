import { InferenceSession, Tensor } from 'onnxruntime-node';
import { graphInput, graphOutputs } from '../model/graph-io.ts';
import type { EncodedBatch, GraphDtype } from './engine.ts';
import type { WorkerStart } from './worker-protocol.ts';

/** A session of ONNX Runtime on one graph. Its native calls block the thread: it lives on one of its own. */
export class OnnxSession {
  readonly #session: InferenceSession;
  readonly #imageSize: number;

  private constructor(session: InferenceSession, imageSize: number) {
    this.#session = session;
    this.#imageSize = imageSize;
  }

  /** Rejects with ONNX Runtime's own error when the graph, its weights or the device cannot be used. */
  static async open({ graphPath, device, threads, imageSize }: WorkerStart): Promise<OnnxSession> {
    const session = await InferenceSession.create(graphPath, {
      executionProviders:
        device.kind === 'cpu' ? ['cpu'] : [{ name: 'cuda', deviceId: device.deviceId }, 'cpu'],
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      graphOptimizationLevel: 'all',
      logSeverityLevel: 3,
      // Spinning threads take the cores that decoding and the sockets need.
      extra: { session: { intra_op: { allow_spinning: '0' } } },
    });
    return new OnnxSession(session, imageSize);
  }

  async run(views: readonly Uint8Array<ArrayBuffer>[], dtypes: readonly GraphDtype[]): Promise<EncodedBatch> {
    const side = this.#imageSize;
    const pixels = new Tensor('uint8', joined(views), [views.length, side, side, 3]);
    const outputs = dtypes.flatMap((dtype) => Object.values(graphOutputs[dtype]));
    const start = performance.now();
    const results = await this.#session.run({ [graphInput]: pixels }, outputs);
    const engineMs = performance.now() - start;
    const tokens: Partial<Record<GraphDtype, Uint8Array<ArrayBuffer>>> = {};
    const finite: Partial<Record<GraphDtype, readonly boolean[]>> = {};
    for (const dtype of dtypes) {
      tokens[dtype] = bytesOf(results[graphOutputs[dtype].tokens]);
      finite[dtype] = Array.from(bytesOf(results[graphOutputs[dtype].finite]), (flag) => flag !== 0);
    }
    return { tokens, finite, engineMs };
  }

  async close(): Promise<void> {
    await this.#session.release();
  }
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
