/** Matches a number that is not negative: 1, 0.5, .5 or 2e-3. */
export const numberPattern = String.raw`(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]{1,2})?`;
