import { graphFile } from '../../../src/model/graph-io.ts';
import { OnnxSession } from '../../../src/inference/onnx-session.ts';
import { loadModelFolder } from '../../../src/model/load-folder.ts';

export interface GraphTokens {
  readonly shape: readonly number[];
  readonly float32: Float32Array;
  /** Bit patterns. */
  readonly float16: Uint16Array;
  readonly finite: readonly boolean[];
  readonly finiteFloat16: readonly boolean[];
}

/** Runs a model folder as the engine does, with every output fetched. */
export async function runGraph(folder: string, views: readonly Uint8Array[]): Promise<GraphTokens> {
  const { graphs = [graphFile], imageSize, channels } = await loadModelFolder(folder);
  const input = { kind: 'pixels', side: imageSize } as const;
  const session = await OnnxSession.open({ folder, graphs, input, threads: 1, device: { kind: 'cpu' } });
  try {
    const joined = Buffer.concat(views);
    const pixels = new Uint8Array(new SharedArrayBuffer(joined.byteLength));
    pixels.set(joined);
    const { tokens, finite } = await session.run(pixels, views.length, ['float32', 'float16']);
    const float32 = new Float32Array(tokens.float32!.slice().buffer);
    return {
      shape: [views.length, float32.length / views.length / channels, channels],
      float32,
      float16: new Uint16Array(tokens.float16!.slice().buffer),
      finite: finite.float32!,
      finiteFloat16: finite.float16!,
    };
  } finally {
    await session.close();
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
