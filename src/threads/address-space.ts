import { readFileSync } from 'node:fs';
import { ServiceError } from '../errors/service-error.ts';

/** The part of WebAssembly used here. TypeScript declares it only together with the browser's DOM. */
declare const WebAssembly: {
  readonly Memory: new (options: { readonly initial: number; readonly maximum: number }) => object;
};

const gibibyte = 2 ** 30;
/** Address space of a thread without WebAssembly, mostly V8's code range. */
const threadBytes = 0.6 * gibibyte;
/** With guard regions, a memory of any size takes at least this much address space. */
const guardedBytes = 8 * gibibyte;

/**
 * Throws `failed_precondition` if `threads` threads, each with a WebAssembly memory, and the threads of engines,
 * which have none, do not fit into the limit of the address space (`ulimit -v`). V8 reserves 8 to 10 GiB of addresses
 * for each memory, and a thread without one would fail every image. Only Linux enforces such a limit.
 */
export function requireAddressSpace(threads: number, engines = 1): void {
  const limitBytes = addressLimit();
  if (limitBytes === undefined) return;
  const usedBytes = addressesInUse();
  const memoryBytes = guardBytes(usedBytes);
  const plainBytes = usedBytes + (threads + engines) * threadBytes;
  // The probe's own memory still counts.
  const neededBytes = plainBytes + (threads + 1) * memoryBytes;
  if (neededBytes <= limitBytes) return;
  const advice =
    memoryBytes === 0
      ? 'Raise the limit.'
      : `Raise the limit, or set NODE_OPTIONS=--disable-wasm-trap-handler, which needs only ${gibibytes(plainBytes)}.`;
  throw new ServiceError(
    'failed_precondition',
    `The address space is limited to ${gibibytes(limitBytes)} (ulimit -v), and ${threads + engines} threads need ` +
      `${gibibytes(neededBytes)} beside the models. ${advice}`,
  );
}

function addressLimit(): number | undefined {
  const limit = procNumber('/proc/self/limits', /^Max address space\s+(\d+)/m);
  return Number.isNaN(limit) ? undefined : limit;
}

function addressesInUse(): number {
  return procNumber('/proc/self/status', /^VmSize:\s+(\d+)/m) * 1024;
}

/** Address space of one memory's guard regions; 0 if V8 makes none, as in Node 24 under a low limit. */
function guardBytes(usedBytes: number): number {
  try {
    void new WebAssembly.Memory({ initial: 1, maximum: 1 });
  } catch {
    return guardedBytes;
  }
  const takenBytes = addressesInUse() - usedBytes;
  return takenBytes < guardedBytes ? 0 : takenBytes;
}

/** A number from a file; NaN if there is no such file or no number in it. */
function procNumber(file: string, pattern: RegExp): number {
  try {
    return Number(pattern.exec(readFileSync(file, 'utf8'))?.[1]);
  } catch {
    return Number.NaN;
  }
}

function gibibytes(bytes: number): string {
  return `${(bytes / gibibyte).toFixed(1)} GiB`;
}
