// Entry of the token pool's threads.
import { type MovedOutcome, taskOutcome } from '../threads/task-outcome.ts';
import { assemble as assembleTokens, type AssemblyPlan } from './assembly/assemble.ts';
import { KernelLayout, withKernel } from './kernel.ts';
import type { TokenDtype } from './tensor.ts';

export interface SplitTask {
  readonly tokens: Uint8Array<ArrayBuffer>;
  readonly count: number;
}

export interface JoinTask {
  readonly parts: readonly Uint8Array<ArrayBuffer>[];
  readonly rowBytes: number;
}

export interface AssembleTask {
  readonly plan: AssemblyPlan;
  readonly views: readonly Uint8Array<ArrayBuffer>[];
  readonly dtype: TokenDtype;
  readonly newline: Uint8Array<ArrayBuffer> | undefined;
}

export function split({ tokens, count }: SplitTask): Promise<MovedOutcome> {
  return taskOutcome(
    () => splitTokens(tokens, count),
    (pieces) => pieces.map(({ buffer }) => buffer),
  );
}

export function join({ parts, rowBytes }: JoinTask): Promise<MovedOutcome> {
  return moved(() => joinChannels(parts, rowBytes));
}

export function bfloat16(tokens: Uint8Array<ArrayBuffer>): Promise<MovedOutcome> {
  return moved(() => toBfloat16(tokens));
}

export function assemble({ plan, views, dtype, newline }: AssembleTask): Promise<MovedOutcome> {
  return moved(() => assembleTokens(plan, views, dtype, newline));
}

function moved(make: () => Uint8Array<ArrayBuffer>): Promise<MovedOutcome> {
  return taskOutcome(make, ({ buffer }) => [buffer]);
}

/** Cuts `tokens` into `count` equal pieces. Each owns its buffer, so that none keeps the whole alive. */
export function splitTokens(tokens: Uint8Array<ArrayBuffer>, count: number): Uint8Array<ArrayBuffer>[] {
  const pieceBytes = tokens.byteLength / count;
  return Array.from({ length: count }, (_, index) =>
    tokens.slice(index * pieceBytes, (index + 1) * pieceBytes),
  );
}

/** Joins maps of the same tokens by their channels: each row is that of the first, that of the second, and so on. */
export function joinChannels(
  parts: readonly Uint8Array<ArrayBuffer>[],
  rowBytes: number,
): Uint8Array<ArrayBuffer> {
  const mapBytes = parts[0]?.byteLength ?? 0;
  if (parts.some(({ byteLength }) => byteLength !== mapBytes)) {
    throw new RangeError(
      `maps of ${parts.map(({ byteLength }) => byteLength).join(', ')} bytes cannot be joined`,
    );
  }
  const joined = new Uint8Array(mapBytes * parts.length);
  let at = 0;
  for (let from = 0; from < mapBytes; from += rowBytes) {
    for (const part of parts) {
      joined.set(part.subarray(from, from + rowBytes), at);
      at += rowBytes;
    }
  }
  return joined;
}

const stripValues = 16_384;

/**
 * Rounds little-endian float32 values to bfloat16 as torch's `.to(torch.bfloat16)` does: to nearest, ties to even, NaN
 * stays NaN.
 */
export function toBfloat16(float32: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const memory = new KernelLayout();
  const source = memory.place(stripValues * 4);
  const target = memory.place(stripValues * 2);
  const rounded = new Uint8Array(float32.byteLength / 2);
  return withKernel(memory.sizeBytes, (kernel) => {
    const bytes = new Uint8Array(kernel.memory.buffer);
    for (let at = 0; at < float32.byteLength; at += stripValues * 4) {
      const strip = float32.subarray(at, at + stripValues * 4);
      bytes.set(strip, source);
      kernel.toBfloat16(source, target, strip.byteLength / 4);
      rounded.set(bytes.subarray(target, target + strip.byteLength / 2), at / 2);
    }
    return rounded;
  });
}
