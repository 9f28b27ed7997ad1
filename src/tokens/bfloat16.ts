/**
 * float32 values as bfloat16, both as little-endian bytes: rounded to nearest, ties to even, NaN kept NaN
 * (as torch's `.to(torch.bfloat16)` does).
 */
export function toBfloat16(float32: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(float32.buffer, float32.byteOffset, float32.byteLength >> 2);
  const halves = new Uint16Array(words.length);
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    const isNan = (word & 0x7fffffff) > 0x7f800000;
    halves[i] = isNan ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return new Uint8Array(halves.buffer);
}
