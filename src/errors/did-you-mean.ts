/**
 * ` Did you mean "x"?` with a leading space, to follow a sentence that refuses `given`, where one of the `known`
 * names is another tool's name for it, or close enough to be a typing mistake; empty otherwise. Case, and `_` for `-`, do not count.
 */
export function didYouMean(given: string, known: readonly string[]): string {
  const meant = synonyms.get(given.toLowerCase());
  if (meant !== undefined && known.includes(meant)) return ` Did you mean "${meant}"?`;
  const wanted = normalised(given);
  let nearest: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  for (const name of known) {
    const candidate = normalised(name);
    const distance = editDistance(wanted, candidate);
    if (distance < least && distance * 3 < Math.max(wanted.length, candidate.length)) {
      nearest = name;
      least = distance;
    }
  }
  return nearest === undefined ? '' : ` Did you mean "${nearest}"?`;
}

/** Names that other tools use. */
const synonyms: ReadonlyMap<string, string> = new Map([
  ['bf16', 'bfloat16'],
  ['fp16', 'float16'],
  ['f16', 'float16'],
  ['half', 'float16'],
  ['fp32', 'float32'],
  ['f32', 'float32'],
  ['pt', 'torch'],
]);

/** The cost of a distance grows with the product of the lengths; no name is longer. */
const longestName = 64;

function normalised(name: string): string {
  return name.slice(0, longestName).toLowerCase().replaceAll('_', '-');
}

/** Insertions, deletions, substitutions and swaps of neighbours between two texts. */
function editDistance(a: string, b: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = last[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min(last[j]! + 1, row[j - 1]! + 1, substitution);
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (isSwap) least = Math.min(least, beforeLast[j - 2]! + 1);
      row.push(least);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}
