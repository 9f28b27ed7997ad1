import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { graphFile, graphInput, graphOutputs } from '../../../src/model/graph-io.ts';

export interface GraphTokens {
  readonly shape: readonly number[];
  readonly float32: Float32Array;
  /** Bit patterns. */
  readonly float16: Uint16Array;
  readonly finite: boolean[];
  readonly finiteFloat16: boolean[];
}

/** Runs a model folder's graph on the CPU provider with every output fetched. */
export async function runGraph(folder: string, views: readonly Uint8Array[]): Promise<GraphTokens> {
  const session = await InferenceSession.create(join(folder, graphFile), { intraOpNumThreads: 1 });
  try {
    const side = Math.sqrt(views[0]!.length / 3);
    const pixels = new Uint8Array(Buffer.concat(views));
    const out = await session.run({
      [graphInput]: new Tensor('uint8', pixels, [views.length, side, side, 3]),
    });
    const bytes = (name: string): Uint8Array => {
      const { buffer, byteOffset, byteLength } = out[name]!.data as Uint8Array;
      return new Uint8Array(buffer, byteOffset, byteLength);
    };
    const { float32, float16 } = graphOutputs;
    return {
      shape: out[float32.tokens]!.dims,
      float32: out[float32.tokens]!.data as Float32Array,
      float16: new Uint16Array(bytes(float16.tokens).slice().buffer),
      finite: Array.from(bytes(float32.finite), Boolean),
      finiteFloat16: Array.from(bytes(float16.finite), Boolean),
    };
  } finally {
    await session.release();
  }
}

/** Value of a float16 bit pattern. */
export function halfValue(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >> 10) & 31;
  const fraction = half & 0x3ff;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) return Infinity;
  let largest = 0;
  for (let i = 0; i < a.length; i += 1) {
    const difference = Math.abs(a[i]! - b[i]!);
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}
