import { type WasmKernel, wasmKernel } from '../threads/wasm-kernel.ts';

/** Exports of kernels/resample.ts, which says what the buffers must hold. Addresses and strides are in bytes. */
export interface ResampleKernel extends WasmKernel {
  horizontal(
    source: number,
    sourceStride: number,
    target: number,
    targetStride: number,
    rows: number,
    width: number,
    offsets: number,
    weights: number,
    pairs: number,
  ): void;
  vertical(
    source: number,
    stride: number,
    target: number,
    bytes: number,
    weights: number,
    pairs: number,
  ): void;
}

export const withKernel = wasmKernel<ResampleKernel>(new URL('./kernels/resample.wasm', import.meta.url));
