import { Latencies, type LatencySummary } from '../report/latency.ts';
import type { Client } from './target.ts';

/** Until when to go on asking. */
export type Until =
  | { readonly kind: 'requests'; readonly requests: number }
  | { readonly kind: 'time'; readonly settleMs: number; readonly windowMs: number };

export interface ClosedLoopResult {
  /** Answers in the window, and a second; with `requests`, over all. */
  readonly answers: number;
  readonly perSecond: number;
  readonly latency: LatencySummary;
  /** Of one answer. */
  readonly sizeBytes: number;
}

/**
 * `clients` callers that each ask again as soon as they are answered. With `time`, what is answered in a window that
 * opens after `settleMs` is counted, so that neither filling nor emptying the queue is. Rejects on any failure.
 */
export async function closedLoop(client: Client, clients: number, until: Until): Promise<ClosedLoopResult> {
  const startMs = performance.now();
  const opensMs = startMs + (until.kind === 'time' ? until.settleMs : 0);
  const closesMs = until.kind === 'time' ? opensMs + until.windowMs : Number.POSITIVE_INFINITY;
  const requests = until.kind === 'requests' ? until.requests : Number.POSITIVE_INFINITY;
  const latencies = new Latencies();
  let asked = 0;
  let sizeBytes = 0;
  let endedMs = startMs;
  const caller = async (): Promise<void> => {
    while (asked < requests && performance.now() < closesMs) {
      asked++;
      const askedMs = performance.now();
      ({ sizeBytes } = await client.ask());
      endedMs = performance.now();
      if (endedMs >= opensMs && endedMs < closesMs) latencies.record(endedMs - askedMs);
    }
  };
  await Promise.all(Array.from({ length: clients }, caller));
  const latency = latencies.summary();
  const seconds = (until.kind === 'time' ? until.windowMs : endedMs - startMs) / 1000;
  return { answers: latency.count, perSecond: latency.count / seconds, latency, sizeBytes };
}
