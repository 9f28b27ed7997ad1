import type { Caller } from './caller.ts';

/** The room that each caller has for its own, and that anybody may use. */
export interface Shares {
  readonly common: number;
  of(name: string | undefined): number;
}

/** The share of a room that is divided among callers, by their weights; the rest is whoever's comes first. */
const dividedShare = 0.5;

/**
 * How room is divided among those who share it, but for what is `undivided`; one caller alone has all of it.
 * Counted anew when the list of callers is another, which may be long.
 */
export function liveShares(room: number, callers: () => readonly Caller[], undivided = 0): () => Shares {
  let among: readonly Caller[] = [];
  let shares = divide(room, among, undivided);
  return () => {
    const now = callers();
    if (now !== among) shares = divide(room, now, undivided);
    among = now;
    return shares;
  };
}

function divide(room: number, callers: readonly Caller[], undivided: number): Shares {
  const weights = callers.reduce((sum, { weight }) => sum + weight, 0);
  const divided = callers.length < 2 ? 0 : Math.floor(Math.max(0, room - undivided) * dividedShare);
  const shares = new Map(callers.map(({ name, weight }) => [name, Math.floor((divided * weight) / weights)]));
  const common = room - [...shares.values()].reduce((sum, part) => sum + part, 0);
  return { common, of: (name) => shares.get(name) ?? 0 };
}

/** What callers hold beyond their shares. */
export function beyond(
  held: Iterable<readonly [name: string | undefined, amount: number]>,
  shares: Shares,
): number {
  let sum = 0;
  for (const [name, amount] of held) sum += Math.max(0, amount - shares.of(name));
  return sum;
}

/** How much of so much more goes beyond a part of which `held` is held. */
export function moreBeyond(held: number, amount: number, part: number): number {
  return Math.max(0, held + amount - part) - Math.max(0, held - part);
}
