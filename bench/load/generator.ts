import { TaskChild } from '../processes/children.ts';
import type { LatencySummary } from '../report/latency.ts';
import type { ClosedLoopResult, Until } from './closed-loop.ts';
import type { LoadResult, LoadTask, SingleRequest } from './main.ts';
import type { Target } from './target.ts';

/** The load process, from the side that steers it. */
export class LoadGenerator {
  readonly #child = new TaskChild<LoadTask, LoadResult>('load/main');

  /** See closedLoop; with a URL, that is asked at 50 a second meanwhile. */
  async closedLoop(
    target: Target,
    clients: number,
    until: Until,
    probeUrl?: string,
  ): Promise<ClosedLoopResult & { readonly probe?: LatencySummary }> {
    const probe = probeUrl === undefined ? {} : { probeUrl };
    const result = await this.#child.run({ kind: 'closed-loop', target, clients, until, ...probe });
    if (result.kind !== 'closed-loop') throw new Error('the load process answered another task');
    return { ...result.load, ...(result.probe === undefined ? {} : { probe: result.probe }) };
  }

  /** Requests one after the other, with a pause before each. */
  async oneByOne(target: Target, requests: number, pauseMs: number): Promise<readonly SingleRequest[]> {
    const result = await this.#child.run({ kind: 'one-by-one', target, requests, pauseMs });
    if (result.kind !== 'one-by-one') throw new Error('the load process answered another task');
    return result.each;
  }

  async close(): Promise<void> {
    await this.#child.close();
  }
}
