import { readFileSync } from 'node:fs';

/** The part of WebAssembly used here. TypeScript declares it only together with the browser's DOM. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => CompiledModule;
  readonly Instance: new (module: CompiledModule) => { readonly exports: unknown };
};
interface CompiledModule {
  readonly _module: never;
}

/** What every kernel exports besides its functions. */
export interface WasmKernel {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
}

/**
 * Runs `use` with a kernel whose memory has at least `sizeBytes`, all of them free, and returns its result. The memory
 * is not cleared between uses, so kernels set what they need at the start of each.
 */
export type WithKernel<Kernel extends WasmKernel> = <T>(sizeBytes: number, use: (kernel: Kernel) => T) => T;

const pageBytes = 65_536;
const mostKeptBytes = 16 * 1024 * 1024;

/**
 * Loads the kernel in `file`, compiled from AssemblyScript, when it is first used. WebAssembly memory never shrinks, so
 * an instance that grew past 16 MB for one large task is dropped afterwards.
 */
export function wasmKernel<Kernel extends WasmKernel>(file: URL): WithKernel<Kernel> {
  let compiled: CompiledModule | undefined;
  let idle: Kernel | undefined;
  return (sizeBytes, use) => {
    const kernel = idle ?? instantiate();
    idle = undefined;
    const missing = sizeBytes - kernel.memory.buffer.byteLength;
    if (missing > 0) kernel.memory.grow(Math.ceil(missing / pageBytes));
    try {
      return use(kernel);
    } finally {
      if (kernel.memory.buffer.byteLength <= mostKeptBytes) idle = kernel;
    }
  };

  function instantiate(): Kernel {
    compiled ??= new WebAssembly.Module(readFileSync(file));
    return new WebAssembly.Instance(compiled).exports as Kernel;
  }
}
