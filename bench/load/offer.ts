import type { LatencySummary } from '../report/latency.ts';

export type Endpoint = 'encode' | 'teacher' | 'anyres';

/** What share of the requests goes to each endpoint; the shares need not sum to 1. */
export type Mix = Readonly<Partial<Record<Endpoint, number>>>;

/** Where requests go. */
export type Place =
  | { readonly transport: 'http'; readonly url: string }
  | { readonly transport: 'grpc'; readonly address: string };

/** When requests are made. */
export type Arrivals =
  /** Open loop: at random times that know nothing of the answers. */
  | { readonly kind: 'poisson'; readonly perSecond: number }
  /** Closed loop: each client asks again as soon as it is answered, or when a refusal says. */
  | { readonly kind: 'closed'; readonly clients: number }
  /** So many at once, again and again. */
  | { readonly kind: 'bursts'; readonly calls: number; readonly everyMs: number };

/** Requests of one kind. Several offers may be made to a service at the same time. */
export interface Offer {
  readonly name: string;
  readonly place: Place;
  readonly arrivals: Arrivals;
  readonly mix: Mix;
  /** An image file. */
  readonly image: Uint8Array;
  readonly dtype?: 'float16' | 'float32';
  /** HTTP headers, or gRPC metadata. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly seed: number;
  /** What is asked for in this time is not measured, */
  readonly settleMs: number;
  /** and what is asked for in this is. Nothing is asked for after it. */
  readonly windowMs: number;
  /** What share of the requests is given up, and how long after it was due. */
  readonly leaving?: { readonly share: number; readonly afterMs: number };
  /** Reads answers no faster than this, and gives up what is unread at the end of the window. */
  readonly readBytesPerSecond?: number;
}

/**
 * How a request ended: `ok`, a code of the service's, `left` where the client gave it up as it was to, `unsettled`
 * where no end had come long after the window, `not_sent` where too many were under way already; else node's own
 * word, such as ECONNRESET.
 */
export type OutcomeCode = string;

/** A slice of the window. */
export const sliceMs = 250;

/** What became of an offer. */
export interface OfferResult {
  readonly name: string;
  readonly transport: Place['transport'];
  /** Requests that were due, in all. */
  readonly due: number;
  /** How all of them ended. */
  readonly codes: Readonly<Record<OutcomeCode, number>>;
  /** Answers that were complete within the window, a second. */
  readonly goodput: number;
  /** Of requests due within the window, from when each was due to its whole answer. */
  readonly latency: Readonly<Record<OutcomeCode, LatencySummary>>;
  /** How much later than due the generator itself came to send. */
  readonly lag: LatencySummary;
  /** Answers that were complete in each `sliceMs` of the window. */
  readonly slices: readonly number[];
  /** Of all answers, without headers. */
  readonly sizeBytes: number;
}

/** What the process that made the offers says of itself. */
export interface LoadReport {
  readonly offers: readonly OfferResult[];
  /** Its CPU time over its wall time; near 1 it could not have kept its times. */
  readonly generatorCpu: number;
}
