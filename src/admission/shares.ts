import type { Caller } from './caller.ts';

/** How a budget is divided: each caller has a share of its own, and the rest is common to all. */
export interface Shares {
  readonly common: number;
  of(name: string | undefined): number;
}

/** The part of a budget that is divided among callers by weight. */
const dividedPart = 0.5;

/**
 * Divides `limit` among callers, except for `undivided`; a single caller has all of it. The shares are computed again
 * only when `callers` returns another list, because that list may be long.
 */
export function liveShares(limit: number, callers: () => readonly Caller[], undivided = 0): () => Shares {
  let among: readonly Caller[] = [];
  let shares = divide(limit, among, undivided);
  return () => {
    const now = callers();
    if (now !== among) shares = divide(limit, now, undivided);
    among = now;
    return shares;
  };
}

function divide(limit: number, callers: readonly Caller[], undivided: number): Shares {
  const weights = callers.reduce((sum, { weight }) => sum + weight, 0);
  const divided = callers.length < 2 ? 0 : Math.floor(Math.max(0, limit - undivided) * dividedPart);
  const shares = new Map(callers.map(({ name, weight }) => [name, Math.floor((divided * weight) / weights)]));
  const common = limit - [...shares.values()].reduce((sum, share) => sum + share, 0);
  return { common, of: (name) => shares.get(name) ?? 0 };
}

/** How much of the common part is in use once the caller `name` holds `amount` more. */
export function commonUse(
  held: ReadonlyMap<string | undefined, number>,
  shares: Shares,
  name: string | undefined,
  amount: number,
): number {
  let sum = Math.max(0, (held.get(name) ?? 0) + amount - shares.of(name));
  for (const [other, own] of held) if (other !== name) sum += Math.max(0, own - shares.of(other));
  return sum;
}
