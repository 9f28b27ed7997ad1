// Entry of the token pool's threads.
import { move, transferableSymbol, valueSymbol } from 'piscina';
import { toBfloat16 } from './bfloat16.ts';
import { splitTokens } from './split.ts';

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
