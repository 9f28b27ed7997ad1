import { KernelLayout, withKernel } from './kernel.ts';

const stripValues = 16_384;

/**
 * float32 values as bfloat16, both as little-endian bytes: rounded to nearest, ties to even, NaN kept NaN
 * (as torch's `.to(torch.bfloat16)` does).
 */
export function toBfloat16(float32: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const memory = new KernelLayout();
  const source = memory.place(stripValues * 4);
  const target = memory.place(stripValues * 2);
  const bfloat16 = new Uint8Array(float32.byteLength / 2);
  return withKernel(memory.sizeBytes, (kernel) => {
    const bytes = new Uint8Array(kernel.memory.buffer);
    for (let at = 0; at < float32.byteLength; at += stripValues * 4) {
      const strip = float32.subarray(at, at + stripValues * 4);
      bytes.set(strip, source);
      kernel.toBfloat16(source, target, strip.byteLength / 4);
      bfloat16.set(bytes.subarray(target, target + strip.byteLength / 2), at / 2);
    }
    return bfloat16;
  });
}
