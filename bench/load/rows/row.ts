import type { SectionResult } from '../../report/section.ts';
import type { ServiceProcess } from '../../processes/service-process.ts';
import type { OfferResult, Place } from '../offer.ts';
import type { StubOptions } from '../stub-process.ts';

export const transports = ['http', 'grpc'] as const;
export type Transport = (typeof transports)[number];

/** What a row is run with. */
export interface RowOptions {
  readonly stub: StubOptions;
  /** Of the part that the row is about; the parts that it is compared with are shorter. */
  readonly seconds?: number | undefined;
  readonly transports: readonly Transport[];
  readonly image: Uint8Array;
  readonly seed: number;
}

/** What a row found; `data` is all of it, for machines. */
export interface RowResult extends SectionResult {
  readonly data: object;
}

/** One thing that the service must stand. */
export interface Row {
  readonly title: string;
  run(options: RowOptions, progress: (line: string) => void): Promise<RowResult>;
}

export function placeOf({ url, grpcAddress }: ServiceProcess, transport: Transport): Place {
  return transport === 'http' ? { transport, url } : { transport, address: grpcAddress };
}

/** Views a second that the stub can run. */
export function capacity({ batch, batchMs, viewMs }: StubOptions): number {
  return (batch * 1000) / (batchMs + viewMs * batch);
}

/** What the engine of a stub takes, in words. */
export function stubText({ batchMs, viewMs, batch }: StubOptions): string {
  return `t(b) = ${batchMs}${viewMs === 0 ? '' : ` + ${viewMs}b`} ms up to ${batch} views`;
}

/** Refusals: what says that the service has no room. */
export const refusalCode = 'overloaded';

export function latencyOf(
  { latency }: OfferResult,
  code: string,
  which: 'p50Ms' | 'p99Ms',
): number | undefined {
  return latency[code]?.[which];
}

/** Of the requests that were due within the window. */
export function answeredShare({ latency }: OfferResult): number {
  const counts = Object.values(latency).map(({ count }) => count);
  return (latency['ok']?.count ?? 0) / counts.reduce((sum, count) => sum + count, 0);
}

export function codesText({ codes }: Pick<OfferResult, 'codes'>): string {
  const counts = Object.entries(codes).toSorted(([, a], [, b]) => b - a);
  return counts.map(([code, count]) => `${code} ${count}`).join(', ');
}

/** Says so where the generator itself was late by more than it may be. */
export function lagNotes(results: readonly OfferResult[], generatorCpu: number): string[] {
  const worst = results.toSorted((a, b) => b.lag.p99Ms - a.lag.p99Ms)[0]!;
  const lag = `The generator was late by ${worst.lag.p99Ms.toFixed(1)} ms at p99, ${worst.lag.maxMs.toFixed(0)} ms at most, and took ${(generatorCpu * 100).toFixed(0)} % of a core.`;
  return [worst.lag.p99Ms > lateMs ? `${lag} It was LATE: the latencies have its own in them.` : lag];
}

const lateMs = 10;
