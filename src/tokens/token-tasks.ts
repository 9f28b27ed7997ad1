// Entry of the token pool's threads.
import { move, transferableSymbol, valueSymbol } from 'piscina';
import type { Plan } from '../recipes/plan.ts';
import { assemble } from './assemble.ts';
import { toBfloat16 } from './bfloat16.ts';
import { splitTokens } from './split.ts';
import type { TokenDtype } from './tensor.ts';

export interface SplitTask {
  readonly tokens: Uint8Array<ArrayBuffer>;
  readonly count: number;
}

export function split({ tokens, count }: SplitTask) {
  const pieces = splitTokens(tokens, count);
  return move({ [transferableSymbol]: pieces.map(({ buffer }) => buffer), [valueSymbol]: pieces });
}

export function bfloat16(tokens: Uint8Array<ArrayBuffer>) {
  return move(toBfloat16(tokens));
}

export interface AssembleTask {
  readonly plan: Plan;
  readonly views: readonly Uint8Array<ArrayBuffer>[];
  readonly dtype: TokenDtype;
}

export function assembleViews({ plan, views, dtype }: AssembleTask) {
  return move(assemble(plan, views, dtype));
}
