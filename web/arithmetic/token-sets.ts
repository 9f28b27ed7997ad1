import { compareTokens, summarise } from '../../src/tokens/compare-tokens.ts';
import { paintHeat } from '../../src/tokens/colours/colour-scale.ts';
import { rangeOf, type ValueRange } from '../../src/tokens/colours/quantile.ts';
import { TokenColours } from '../../src/tokens/colours/token-colours.ts';
import { TokenCosines } from '../../src/tokens/colours/token-cosines.ts';
import { tokenNorms, type TokenSet } from '../../src/tokens/colours/token-set.ts';
import type { ComparisonOutcome } from './comparison-outcome.ts';
import type { Paint } from './paint.ts';
import { decodeFloat16 } from './float16.ts';
import type { Painted, PickedTokens } from './tasks.ts';

interface Kept {
  readonly tokens: TokenSet;
  /** Made when it is first needed. */
  cosines?: TokenCosines;
}

/** The tokens of all panels, and the arithmetic on them. */
export class TokenSets {
  readonly #sets = new Map<number, Kept>();
  /** The last fit, which holds until other tokens are painted: it takes a while. */
  #fitted: { readonly kept: readonly [number, Kept][]; readonly painted: Painted } | undefined;

  /** Keeps the tokens of a panel: float16, `channels` values each. */
  put(id: number, bytes: ArrayBuffer, channels: number): void {
    const data = decodeFloat16(bytes);
    this.#sets.set(id, { tokens: { data, count: data.length / channels, channels } });
  }

  drop(id: number): void {
    this.#sets.delete(id);
  }

  /** Principal components as red, green and blue: one basis for all panels of the same width. */
  components(ids: readonly number[]): Painted {
    const kept = this.#known(ids);
    const isSame = kept.length === this.#fitted?.kept.length;
    if (isSame && kept.every(([, one], index) => this.#fitted?.kept[index]?.[1] === one))
      return this.#fitted!.painted;
    const painted = paintComponents(kept);
    this.#fitted = { kept, painted };
    return painted;
  }

  /** The length of each token, on one scale for all panels. */
  norms(ids: readonly number[]): Painted {
    return heat(this.#known(ids).map(([id, { tokens }]) => [id, tokenNorms(tokens)]));
  }

  /** The mean cosine to the positive tokens less that to the negative ones. Lower scores than the threshold are clear. */
  similarity(picked: readonly PickedTokens[], threshold: number | undefined): Painted {
    const scores = picked.flatMap(({ id, positive, negative }): [number, Float64Array][] => {
      const kept = this.#sets.get(id);
      if (kept === undefined) return [];
      kept.cosines ??= new TokenCosines(kept.tokens);
      return [[id, scoresOf(kept.cosines, positive, negative, kept.tokens.count)]];
    });
    return heat(scores, threshold);
  }

  /** Compares two panels, token by token, as `siglip-hd compare` does. */
  compare([a, b]: readonly [number, number], shows: 'cosine' | 'difference'): ComparisonOutcome {
    const [one, other] = [this.#sets.get(a)?.tokens, this.#sets.get(b)?.tokens];
    if (one === undefined || other === undefined) {
      return { kind: 'impossible', reason: 'One of the two has no tokens yet.' };
    }
    if (one.count !== other.count || one.channels !== other.channels) {
      const [left, right] = [one, other].map(
        ({ count, channels }) => `${count} tokens of ${channels} channels`,
      );
      return {
        kind: 'impossible',
        reason: `One has ${left}, the other ${right}. Only equal shapes are compared.`,
      };
    }
    const compared = compareTokens(one.data, other.data, one.channels);
    const { tokens, cosine, meanL1, largestDifference } = summarise([compared]);
    const values = shows === 'cosine' ? compared.cosines.map((value) => 1 - value) : differences(one, other);
    const { paints, scale } = heat([[0, values]], undefined, 0);
    return {
      kind: 'compared',
      paint: paints.get(0)!,
      scale: scale!,
      figures: {
        tokens,
        meanCosine: cosine.mean,
        percentile1: cosine.percentile1,
        leastCosine: cosine.minimum,
        meanL1,
        largestDifference,
      },
    };
  }

  #known(ids: readonly number[]): [number, Kept][] {
    return ids.flatMap((id): [number, Kept][] => {
      const kept = this.#sets.get(id);
      return kept === undefined ? [] : [[id, kept]];
    });
  }
}

function paintComponents(kept: readonly [number, Kept][]): Painted {
  const colours = TokenColours.fitEach(kept.map(([, { tokens }]) => tokens));
  const paints = kept.map(([id, { tokens }], index): [number, Paint] => {
    return [id, { colours: opaque(colours[index]!.paint(tokens)), values: undefined }];
  });
  return { paints: new Map(paints), scale: undefined };
}

function scoresOf(
  cosines: TokenCosines,
  positive: readonly number[],
  negative: readonly number[],
  count: number,
): Float64Array {
  const scores = new Float64Array(count);
  for (const [picks, sign] of [
    [positive, 1],
    [negative, -1],
  ] as const) {
    for (const index of picks) {
      const values = cosines.toToken(index);
      for (let token = 0; token < count; token++) scores[token]! += (sign * values[token]!) / picks.length;
    }
  }
  return scores;
}

/** Mean |a - b| of each pair of tokens. */
function differences(a: TokenSet, b: TokenSet): Float64Array {
  const { channels, count } = a;
  const means = new Float64Array(count);
  for (let token = 0; token < count; token++) {
    let sum = 0;
    for (let at = token * channels; at < (token + 1) * channels; at++)
      sum += Math.abs(a.data[at]! - b.data[at]!);
    means[token] = sum / channels;
  }
  return means;
}

/** Colours of values on one scale, from the lowest value, or `least`, to the highest. */
function heat(
  values: readonly (readonly [number, Float64Array])[],
  threshold?: number,
  least?: number,
): Painted {
  const found = rangeOf(values.map(([, one]) => one));
  // Equal values are the start of a scale that has one, not its middle.
  const high = least === undefined ? found.high : Math.max(found.high, least + 1e-6);
  const range: ValueRange = { low: least ?? found.low, high };
  const paints = values.map(([id, one]): [number, Paint] => {
    const colours = opaque(paintHeat(one, range));
    if (threshold !== undefined) {
      for (let token = 0; token < one.length; token++)
        if (one[token]! < threshold) colours[token * 4 + 3] = 0;
    }
    return [id, { colours, values: new Float32Array(one) }];
  });
  return { paints: new Map(paints), scale: [range.low, range.high] };
}

/** RGB as RGBA. */
function opaque(rgb: Uint8ClampedArray): Uint8ClampedArray<ArrayBuffer> {
  const rgba = new Uint8ClampedArray((rgb.length / 3) * 4);
  for (let from = 0, to = 0; from < rgb.length; from += 3, to += 4) {
    rgba[to] = rgb[from]!;
    rgba[to + 1] = rgb[from + 1]!;
    rgba[to + 2] = rgb[from + 2]!;
    rgba[to + 3] = 255;
  }
  return rgba;
}
