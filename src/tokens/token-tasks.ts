// Entry of the token pool's threads.
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { type ErrorCode, ServiceError } from '../errors/service-error.ts';
import { assemble as assembleTokens, type AssemblyPlan } from './assembly/assemble.ts';
import { toBfloat16 } from './bfloat16.ts';
import { splitTokens } from './split.ts';
import type { TokenDtype } from './tensor.ts';

export interface SplitTask {
  readonly tokens: Uint8Array<ArrayBuffer>;
  readonly count: number;
}

export interface AssembleTask {
  readonly plan: AssemblyPlan;
  readonly views: readonly Uint8Array<ArrayBuffer>[];
  readonly dtype: TokenDtype;
}

/** A ServiceError on its way between threads, where an error would lose its class. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly message: string;
}

export function split({ tokens, count }: SplitTask) {
  const pieces = splitTokens(tokens, count);
  return move({ [transferableSymbol]: pieces.map(({ buffer }) => buffer), [valueSymbol]: pieces });
}

export function bfloat16(tokens: Uint8Array<ArrayBuffer>) {
  return move(toBfloat16(tokens));
}

/** Comes back as the answer's bytes, or as a Refusal. */
export function assemble({ plan, views, dtype }: AssembleTask) {
  try {
    return move(assembleTokens(plan, views, dtype));
  } catch (thrown) {
    if (!(thrown instanceof ServiceError)) throw thrown;
    const refusal: Refusal = { code: thrown.code, message: thrown.message };
    return refusal;
  }
}
