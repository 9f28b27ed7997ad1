import { seededRandom } from '../report/statistics.ts';

/** Numbers in [0, 1). */
export type Random = () => number;

/** What one case is made with: the same for the same seed and number, whatever came before. */
export function caseRandom(seed: number, number: number): Random {
  const random = seededRandom(Math.imul(seed, 0x9e3779b1) ^ Math.imul(number + 1, 0x85ebca6b));
  // The first numbers of neighbouring seeds are alike.
  for (let skipped = 0; skipped < 4; skipped++) random();
  return random;
}

/** A whole number from 0 to `count` - 1. */
export function below(random: Random, count: number): number {
  return Math.floor(random() * count);
}

export function pick<T>(random: Random, values: readonly T[]): T {
  return values[below(random, values.length)]!;
}

/** One of the values, each as often as its weight says. */
export function pickWeighted<T>(random: Random, values: readonly (readonly [weight: number, value: T])[]): T {
  let left = random() * values.reduce((sum, [weight]) => sum + weight, 0);
  return (values.find(([weight]) => (left -= weight) < 0) ?? values[0]!)[1];
}

/** So many values, made one after the other. */
export function several<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}
