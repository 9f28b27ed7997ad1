import { seededRandom } from '../report/statistics.ts';
import type { Arrivals, Endpoint, Mix } from './offer.ts';

/** Times between requests that are due by themselves, in milliseconds: a Poisson process's, or those of bursts. */
export function gapsMs(arrivals: Exclude<Arrivals, { kind: 'closed' }>, seed: number): () => number {
  if (arrivals.kind === 'bursts') {
    let call = 0;
    return () => (call++ % arrivals.calls === 0 && call > 1 ? arrivals.everyMs : 0);
  }
  const random = seededRandom(seed);
  const meanMs = 1000 / arrivals.perSecond;
  return () => -Math.log(1 - random()) * meanMs;
}

/** Endpoints at random, in the mix's proportions. */
export function endpoints(mix: Mix, seed: number): () => Endpoint {
  const random = seededRandom(seed);
  const shares = Object.entries(mix) as [Endpoint, number][];
  const sum = shares.reduce((all, [, share]) => all + share, 0);
  if (!(sum > 0)) throw new RangeError('a mix needs a share above 0');
  return () => {
    let left = random() * sum;
    for (const [endpoint, share] of shares) {
      left -= share;
      if (left < 0) return endpoint;
    }
    return shares.findLast(([, share]) => share > 0)![0];
  };
}
