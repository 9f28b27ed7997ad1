/**
 * What an int8 matrix is in the weights file. `int8`: rows [N, K] of the checkpoint as int8 [K, N], the order that
 * DynamicQuantizeMatMul takes. `int8 scales`: float32 [N], what a step of each output channel is worth.
 */
export type QuantisedLayout = 'int8' | 'int8 scales';

/** Largest int8 magnitude in use: symmetric, so that the zero point is 0. */
const largest = 127;

/** A row's step: its largest magnitude over 127 as a float32, or 1 where that is 0. */
export function rowScale(row: Float32Array): number {
  let magnitude = 0;
  for (const value of row) magnitude = Math.max(magnitude, Math.abs(value));
  const scale = Math.fround(magnitude / largest);
  return scale === 0 ? 1 : scale;
}

/** Writes round(row / scale), -127 to 127, into `to` at `first`, `first + stride` and so on. */
export function quantiseRow(
  row: Float32Array,
  scale: number,
  to: Int8Array,
  first: number,
  stride: number,
): void {
  let at = first;
  for (const value of row) {
    const steps = Math.round(value / scale);
    to[at] = steps > largest ? largest : steps < -largest ? -largest : steps;
    at += stride;
  }
}

/**
 * A matrix [N, K], read as float32 in chunks of whole rows, in one of the int8 layouts. Holds one byte for each of its
 * weights.
 */
export async function quantiseMatrix(
  chunks: AsyncIterable<Uint8Array<ArrayBuffer>>,
  [outputs = 1, inputs = 1]: readonly number[],
  layout: QuantisedLayout,
): Promise<Uint8Array<ArrayBuffer>> {
  const scales = new Float32Array(outputs);
  const steps = new Int8Array(layout === 'int8' ? outputs * inputs : 0);
  let output = 0;
  for await (const chunk of chunks) {
    const values = new Float32Array(chunk.buffer, chunk.byteOffset, chunk.byteLength / 4);
    for (let start = 0; start < values.length; start += inputs) {
      const row = values.subarray(start, start + inputs);
      scales[output] = rowScale(row);
      if (layout === 'int8') quantiseRow(row, scales[output]!, steps, output, outputs);
      output += 1;
    }
  }
  return new Uint8Array(layout === 'int8' ? steps.buffer : scales.buffer);
}
