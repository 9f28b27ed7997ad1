import { Latencies, type LatencySummary } from '../report/latency.ts';
import type { Outcome } from './caller.ts';
import { type Offer, type OfferResult, type OutcomeCode, sliceMs } from './offer.ts';

/** Counts what becomes of an offer's requests. Times are performance.now()'s. */
export class Tally {
  readonly #offer: Offer;
  readonly #opensMs: number;
  readonly #closesMs: number;
  readonly #codes = new Map<OutcomeCode, number>();
  readonly #latency = new Map<OutcomeCode, Latencies>();
  readonly #lag = new Latencies();
  #due = 0;
  readonly #slices: number[];
  #sizeBytes = 0;

  constructor(offer: Offer, startMs: number) {
    this.#offer = offer;
    this.#opensMs = startMs + offer.settleMs;
    this.#closesMs = this.#opensMs + offer.windowMs;
    this.#slices = Array.from({ length: Math.ceil(offer.windowMs / sliceMs) }, () => 0);
  }

  get closesMs(): number {
    return this.#closesMs;
  }

  /** A request that was due then is sent now. */
  send(dueMs: number, nowMs: number): void {
    this.#due++;
    if (dueMs >= this.#opensMs) this.#lag.record(nowMs - dueMs);
  }

  /** A request that was due then has ended now. */
  end({ code, sizeBytes }: Outcome, dueMs: number, nowMs: number): void {
    this.#codes.set(code, (this.#codes.get(code) ?? 0) + 1);
    this.#sizeBytes += sizeBytes;
    if (code === 'ok' && nowMs >= this.#opensMs && nowMs < this.#closesMs) {
      this.#slices[Math.floor((nowMs - this.#opensMs) / sliceMs)]!++;
    }
    if (dueMs < this.#opensMs) return;
    let latencies = this.#latency.get(code);
    if (latencies === undefined) this.#latency.set(code, (latencies = new Latencies()));
    latencies.record(nowMs - dueMs);
  }

  result(): OfferResult {
    const { name, place, windowMs } = this.#offer;
    const latency: Record<OutcomeCode, LatencySummary> = {};
    for (const [code, latencies] of this.#latency) latency[code] = latencies.summary();
    return {
      name,
      transport: place.transport,
      due: this.#due,
      codes: Object.fromEntries(this.#codes),
      goodput: (this.#slices.reduce((sum, count) => sum + count, 0) / windowMs) * 1000,
      slices: this.#slices,
      latency,
      lag: this.#lag.summary(),
      sizeBytes: this.#sizeBytes,
    };
  }
}
