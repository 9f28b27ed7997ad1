import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import {
  graphFile,
  type GraphOutput,
  outputNames,
  projectorFile,
  type PerOutput,
} from '../model/graph-io.ts';
import type { GraphValue, RunGraph } from '../model/import/run-parts.ts';
import type { EncodedBatch } from './engine.ts';
import { hasVnni } from './vnni.ts';
import type { EngineInput, WorkerStart } from './worker-protocol.ts';

const readsSharedMemory = Number(process.versions.node.split('.', 1)[0]) >= 24;

/**
 * A model in ONNX Runtime: one session, or one for each of a model's graphs, which run one after another. Native calls
 * block the thread, so it lives on a thread of its own.
 */
export class OnnxSession {
  readonly #sessions: readonly InferenceSession[];
  readonly #input: EngineInput;
  /** A copy of a batch's views, where the shared ones cannot be read. */
  #own = new Uint8Array(0);
  /** When the last run ended. */
  #endedAt: number | undefined;

  private constructor(sessions: readonly InferenceSession[], input: EngineInput) {
    this.#sessions = sessions;
    this.#input = input;
  }

  /** Rejects with ONNX Runtime's own error when a graph, its weights or the device cannot be used. */
  static async open({
    folder,
    graphs,
    device,
    threads,
    sharesWeights,
    input,
  }: WorkerStart): Promise<OnnxSession> {
    const sessions: InferenceSession[] = [];
    for (const graph of graphs) {
      // The small graphs before and after the encoder would only move memory to the device and back.
      const onDevice = (graph === graphFile || graph === projectorFile) && device.kind === 'cuda';
      const session = await InferenceSession.create(join(folder, graph), {
        ...cpuOptions(threads, sharesWeights),
        executionProviders: onDevice ? [{ name: 'cuda', deviceId: device.deviceId }, 'cpu'] : ['cpu'],
      });
      sessions.push(session);
    }
    return new OnnxSession(sessions, input);
  }

  /** Tokens of `views` views, which lie one after another. */
  async run(
    input: Uint8Array<SharedArrayBuffer>,
    views: number,
    outputs: readonly GraphOutput[],
  ): Promise<EncodedBatch> {
    const names: string[] = [];
    for (const { tokens, finite } of outputs.map(outputNames)) names.push(tokens, finite);
    const start = performance.now();
    let values: Record<string, Tensor> = { [this.#input.kind]: this.#tensor(this.#readable(input), views) };
    for (const [index, session] of this.#sessions.entries()) {
      values = await session.run(values, this.#sessions[index + 1]?.inputNames ?? names);
      for (const value of Object.values(values)) makeInput(value);
    }
    const idleMs = this.#endedAt === undefined ? undefined : start - this.#endedAt;
    this.#endedAt = performance.now();
    const engineMs = this.#endedAt - start;
    const tokens: PerOutput<Uint8Array<ArrayBuffer>> = {};
    const finite: PerOutput<readonly boolean[]> = {};
    for (const output of outputs) {
      tokens[output] = bytesOf(values[outputNames(output).tokens]);
      finite[output] = [...bytesOf(values[outputNames(output).finite])].map((flag) => flag !== 0);
    }
    return { tokens, finite, engineMs, idleMs };
  }

  async close(): Promise<void> {
    for (const session of this.#sessions) await session.release();
  }

  #tensor(bytes: Uint8Array, views: number): Tensor {
    const input = this.#input;
    if (input.kind === 'pixels') return new Tensor('uint8', bytes, [views, input.side, input.side, 3]);
    const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
    return new Tensor('float32', values, [views, values.length / views / input.channels, input.channels]);
  }

  /** Native modules cannot read shared memory before Node 24. */
  #readable(input: Uint8Array<SharedArrayBuffer>): Uint8Array {
    if (readsSharedMemory) return input;
    if (this.#own.byteLength < input.byteLength) this.#own = new Uint8Array(input.byteLength);
    this.#own.set(input);
    return this.#own.subarray(0, input.byteLength);
  }
}

/** Options of a session on the CPU. */
export function cpuOptions(threads: number, sharesWeights = false): InferenceSession.SessionOptions {
  return {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
    extra: {
      session: {
        // Spinning threads take the cores that decoding and the sockets need.
        intra_op: { allow_spinning: '0' },
        // Weights that are packed for the kernels are the session's own; as they lie in the file they are mapped.
        disable_prepacking: sharesWeights ? '1' : '0',
        // Exact int8 products where the fast kernels may saturate. With VNNI those are exact, and this one is slower.
        x64quantprecision: hasVnni() ? '0' : '1',
      },
    },
  };
}

/**
 * Makes a tensor fit to be another session's input. On Node 24 a float16 tensor holds a Float16Array, which
 * onnxruntime-node 1.30 gives and does not take; it takes the same bytes as a Uint16Array.
 */
export function makeInput(tensor: Tensor): Tensor {
  if (tensor.type !== 'float16') return tensor;
  const { buffer, byteOffset, byteLength } = bytesOf(tensor);
  return Object.defineProperty(tensor, 'data', {
    value: new Uint16Array(buffer, byteOffset, byteLength / Uint16Array.BYTES_PER_ELEMENT),
  });
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

/** The values as bytes: float16 is a Uint16Array on Node 20 and a Float16Array on Node 24. */
function bytesOf(tensor: Tensor | undefined): Uint8Array<ArrayBuffer> {
  const data = tensor?.data;
  if (!ArrayBuffer.isView(data) || !(data.buffer instanceof ArrayBuffer)) {
    throw new TypeError('the graph gave an output that is not an array of numbers');
  }
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
