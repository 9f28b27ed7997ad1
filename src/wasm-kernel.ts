import { readFileSync } from 'node:fs';

/** The part of WebAssembly used here: TypeScript declares it only together with the browser's DOM. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => CompiledModule;
  readonly Instance: new (module: CompiledModule) => { readonly exports: unknown };
};
interface CompiledModule {
  readonly _module: never;
}

/** What every kernel exports. */
export interface KernelMemory {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
}

const pageBytes = 65_536;
const keptBytes = 16 * 1024 * 1024;

/** A WebAssembly module of this project's, compiled when it is first used and one instance of it kept. */
export class WasmKernel<Exports extends KernelMemory> {
  readonly #file: URL;
  #compiled: CompiledModule | undefined;
  #idle: Exports | undefined;

  /** `Exports` must be what the module exports: nothing checks it. */
  constructor(file: URL) {
    this.#file = file;
  }

  /**
   * Runs `use` with an instance whose memory has at least `sizeBytes`, and gives its result. WebAssembly memory never
   * shrinks, so an instance that grew past 16 MB is dropped afterwards instead of being kept.
   */
  use<T>(sizeBytes: number, use: (kernel: Exports) => T): T {
    const kernel = this.#idle ?? this.#instantiate();
    this.#idle = undefined;
    const missing = sizeBytes - kernel.memory.buffer.byteLength;
    if (missing > 0) kernel.memory.grow(Math.ceil(missing / pageBytes));
    const result = use(kernel);
    if (kernel.memory.buffer.byteLength <= keptBytes) this.#idle = kernel;
    return result;
  }

  #instantiate(): Exports {
    this.#compiled ??= new WebAssembly.Module(readFileSync(this.#file));
    return new WebAssembly.Instance(this.#compiled).exports as Exports;
  }
}
