import { setImmediate } from 'node:timers/promises';
import { ServiceError } from '../../errors/service-error.ts';
import type { TokenSet } from '../../tokens/colours/token-set.ts';
import { GramMatrix } from './gram-matrix.ts';
import { linearCka } from './linear-cka.ts';
import {
  chanceAgreement,
  nearestNeighbours,
  neighbourAgreement,
  neighbourCount,
} from './nearest-neighbours.ts';

/** How alike two encoders are, by their place in the list of encoders; a < b. */
export interface PairFigures {
  readonly a: number;
  readonly b: number;
  /** Of nearest neighbours, 0 to 1. */
  readonly agreement: number;
  /** Linear and debiased; undefined for tokens that do not differ. */
  readonly cka: number | undefined;
  /** Linear, as first defined. */
  readonly biasedCka: number | undefined;
}

export interface EncoderFigures {
  /** Tokens of each encoder that were compared. */
  readonly tokens: number;
  readonly neighbours: number;
  /** The agreement of encoders that have nothing in common. */
  readonly chance: number;
  /** Every pair once. */
  readonly pairs: readonly PairFigures[];
}

/**
 * Compares tokens of several encoders at the same places. Computes for seconds, but for pauses between encoders, where the
 * signal stops it. Throws `invalid_argument` for too few tokens.
 */
export async function measureEncoders(
  encoders: readonly TokenSet[],
  signal: AbortSignal,
): Promise<EncoderFigures> {
  const tokens = encoders[0]?.count ?? 0;
  if (tokens <= neighbourCount) {
    throw new ServiceError(
      'invalid_argument',
      `The images have ${tokens} tokens in all, and each needs ${neighbourCount} neighbours; give more images.`,
    );
  }
  const grams: GramMatrix[] = [];
  const nearest: Int32Array[] = [];
  for (const encoder of encoders) {
    await setImmediate();
    signal.throwIfAborted();
    const gram = GramMatrix.of(encoder);
    grams.push(gram);
    nearest.push(nearestNeighbours(gram));
  }
  const pairs: PairFigures[] = [];
  for (let a = 0; a < grams.length; a++) {
    for (let b = a + 1; b < grams.length; b++) {
      await setImmediate();
      signal.throwIfAborted();
      const { debiased, biased } = linearCka(grams[a]!, grams[b]!);
      const agreement = neighbourAgreement(nearest[a]!, nearest[b]!);
      pairs.push({ a, b, agreement, cka: debiased, biasedCka: biased });
    }
  }
  return { tokens, neighbours: neighbourCount, chance: chanceAgreement(tokens), pairs };
}
