/** Largest int8 magnitude in use: symmetric, so that the zero point is 0. */
const largest = 127;
/** Side of the squares that are transposed at a time, so that both sides stay in the processor's cache. */
const tile = 64;

/** The least normal float32. */
const leastScale = 2 ** -126;

/** A row's step: its largest magnitude over 127 as a float32, or 1 where that is 0 or too small to divide by. */
export function rowScale(row: Float32Array): number {
  let magnitude = 0;
  for (let i = 0; i < row.length; i += 1) {
    const value = Math.abs(row[i]!);
    if (value > magnitude) magnitude = value;
  }
  const scale = Math.fround(magnitude / largest);
  return scale < leastScale ? 1 : scale;
}

/** Writes round(row / scale) into `to`: -127 to 127 with the row's own scale. */
export function quantiseRow(row: Float32Array, scale: number, to: Int8Array): void {
  // Above 0 the integer part is the rounded value; Math.round takes seven times as long.
  for (let i = 0; i < row.length; i += 1) to[i] = ((row[i]! / scale + largest + 1.5) | 0) - largest - 1;
}

/**
 * A matrix [N, K], read as float32 in chunks of whole rows, as DynamicQuantizeMatMul takes it: int8 [K, N] at the
 * start of the result and the scales, float32 [N], at the end of its `sizeBytes`, with zeros between. An output
 * channel's weights are its steps times its scale.
 */
export async function quantiseMatrix(
  chunks: AsyncIterable<Uint8Array<ArrayBuffer>>,
  [outputs = 1, inputs = 1]: readonly number[],
  sizeBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const result = new Uint8Array(sizeBytes);
  const columns = new Int8Array(result.buffer, 0, outputs * inputs);
  const scales = new Float32Array(outputs);
  const rows = new Int8Array(tile * inputs);
  let output = 0;
  for await (const chunk of chunks) {
    const values = new Float32Array(chunk.buffer, chunk.byteOffset, chunk.byteLength / 4);
    for (let start = 0; start < values.length; start += rows.length) {
      const count = Math.min(tile, (values.length - start) / inputs);
      for (let row = 0; row < count; row += 1) {
        const from = values.subarray(start + row * inputs, start + (row + 1) * inputs);
        const scale = rowScale(from);
        scales[output + row] = scale;
        quantiseRow(from, scale, rows.subarray(row * inputs, (row + 1) * inputs));
      }
      transposeRows(rows, count, inputs, columns, output, outputs);
      output += count;
    }
  }
  result.set(new Uint8Array(scales.buffer), sizeBytes - scales.byteLength);
  return result;
}

/** Writes `count` rows of `width` as columns from `column` on of rows of `stride`. */
function transposeRows(
  rows: Int8Array,
  count: number,
  width: number,
  to: Int8Array,
  column: number,
  stride: number,
): void {
  for (let x = 0; x < width; x += 1) {
    const at = x * stride + column;
    for (let y = 0; y < count; y += 1) to[at + y] = rows[y * width + x]!;
  }
}
