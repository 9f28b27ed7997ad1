import { type Component, robustComponents } from './robust-components.ts';
import { shareOf } from './quantile.ts';
import { dot, dotWithEach, requireWhole, type TokenSet } from './token-set.ts';

/**
 * Colours of tokens: the scores along their first three principal components are red, green and blue, each from the 1st
 * to the 99th percentile. Tokens that are painted with the same colours can be compared by eye.
 */
export class TokenColours {
  readonly centre: Float64Array<ArrayBuffer>;
  /** Red, green, blue; a colour that is missing, because the tokens vary in fewer directions, is painted as 128. */
  readonly components: readonly Component[];

  private constructor(centre: Float64Array<ArrayBuffer>, components: readonly Component[]) {
    this.centre = centre;
    this.components = components;
  }

  /** Fits one basis to all tokens of the sets. Throws as {@link robustComponents} does. */
  static fit(sets: readonly TokenSet[]): TokenColours {
    const { centre, components } = robustComponents(sets, 3);
    return new TokenColours(centre, components);
  }

  /** The colours of each set, in order. Sets with the same channels share one basis. */
  static fitEach(sets: readonly TokenSet[]): readonly TokenColours[] {
    const fitted = new Map<number, TokenColours>();
    for (const { channels } of sets) {
      if (fitted.has(channels)) continue;
      fitted.set(channels, TokenColours.fit(sets.filter((set) => set.channels === channels)));
    }
    return sets.map(({ channels }) => fitted.get(channels)!);
  }

  /** Three bytes for each token, in order. Throws RangeError for tokens of other channels than those of the fit. */
  paint(tokens: TokenSet): Uint8ClampedArray<ArrayBuffer> {
    requireWhole(tokens);
    const { count, channels } = tokens;
    if (channels !== this.centre.length) {
      throw new RangeError(`these colours are for ${this.centre.length} channels, not ${channels}`);
    }
    const painted = new Uint8ClampedArray(count * 3).fill(128);
    for (const [colour, { axis, range }] of this.components.entries()) {
      const offset = dot(this.centre, axis);
      const dots = dotWithEach(tokens, axis);
      // A clamped array rounds to the nearest.
      for (let token = 0; token < count; token++)
        painted[token * 3 + colour] = 255 * shareOf(dots[token]! - offset, range);
    }
    return painted;
  }
}
