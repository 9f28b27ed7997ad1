import { type KernelMemory, WasmKernel } from '../wasm-kernel.ts';

/** Exports of kernels/tokens.ts; see there for what the buffers must have. Addresses are in bytes, counts in values. */
export interface TokenKernel extends KernelMemory {
  add(a: number, weight: number, sum: number, count: number): void;
  blend(
    a: number,
    b: number,
    c: number,
    d: number,
    weightA: number,
    weightB: number,
    weightC: number,
    weightD: number,
    sum: number,
    count: number,
  ): void;
  scatter(a: number, target: number, step: number, count: number): void;
  toHalf(source: number, target: number, count: number): number;
}

export const tokenKernel = new WasmKernel<TokenKernel>(new URL('./kernels/tokens.wasm', import.meta.url));
