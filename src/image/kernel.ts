import { readFileSync } from 'node:fs';

/** The part of WebAssembly used here: TypeScript declares it only together with the browser's DOM. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => CompiledModule;
  readonly Instance: new (module: CompiledModule) => { readonly exports: unknown };
};
interface CompiledModule {
  readonly _module: never;
}

/** Exports of kernels/resample.ts; see there for what the buffers must have. Addresses and strides are in bytes. */
export interface ResampleKernel {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
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

const pageBytes = 65_536;
const keptBytes = 16 * 1024 * 1024;

let compiled: CompiledModule | undefined;
let idle: ResampleKernel | undefined;

/**
 * Runs `use` with a kernel whose memory has at least `sizeBytes`, and gives its result. WebAssembly memory never
 * shrinks, so an instance that grew past 16 MB for one large image is dropped afterwards instead of being kept.
 */
export function withKernel<T>(sizeBytes: number, use: (kernel: ResampleKernel) => T): T {
  const kernel = idle ?? instantiate();
  idle = undefined;
  const missing = sizeBytes - kernel.memory.buffer.byteLength;
  if (missing > 0) kernel.memory.grow(Math.ceil(missing / pageBytes));
  const result = use(kernel);
  if (kernel.memory.buffer.byteLength <= keptBytes) idle = kernel;
  return result;
}

function instantiate(): ResampleKernel {
  compiled ??= new WebAssembly.Module(readFileSync(new URL('./kernels/resample.wasm', import.meta.url)));
  return new WebAssembly.Instance(compiled).exports as ResampleKernel;
}
