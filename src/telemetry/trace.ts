import type { ServiceError } from '../errors/service-error.ts';

export type Attributes = Readonly<Record<string, string | number | boolean>>;

/** What a request spends its time on, in the order in which it comes to it. */
export const stages = [
  'receive',
  'shared cache',
  'joined',
  'header',
  'wait to decode',
  'decode',
  'views',
  'queue',
  'engine',
  'assemble',
  'write',
] as const;
export type Stage = (typeof stages)[number];

/** A batch of the engine that has ended. */
export interface TracedBatch {
  readonly model: string;
  readonly views: number;
  readonly startMs: number;
  readonly endMs: number;
  /** Those whose views are in it, of the requests that are traced. */
  readonly traces: readonly Trace[];
}

/** How a request ended. */
export interface TracedEnd {
  /** What it was a call of, as its protocol says it. */
  readonly name: string;
  readonly attributes: Attributes;
  readonly endMs: number;
  /** What it failed for by the service's own fault. */
  readonly fault?: ServiceError | undefined;
}

/** One request's trace; of one that is not sampled there is none. Times are milliseconds by performance.now(). */
export interface Trace {
  /** 32 hexadecimal digits. */
  readonly id: string;
  /** The same for the stages of one of the request's several images. */
  ofImage(index: number): Trace;
  /** Takes down a stage that has ended. */
  stage(stage: Stage, startMs: number, endMs: number, attributes?: Attributes): void;
  /** Takes down a batch as a part of this trace, linked to all of its requests. */
  batch(batch: TracedBatch): void;
  /** What is never ended is never sent. */
  end(end: TracedEnd): void;
}

/** Reads a header, or a key of gRPC metadata. */
export type ReadHeader = (key: 'traceparent' | 'tracestate') => string | undefined;

/** Begins the traces of requests. */
export interface Tracer {
  /** Undefined for a request that is not sampled. */
  begin(read: ReadHeader, startMs: number): Trace | undefined;
}

/** Sends what was begun, too. */
export interface Tracing extends Tracer {
  close(): Promise<void>;
}

/** Version, trace, parent and flags; versions after 00 may say more. */
const traceparentPattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(|-.*)$/;

/** The trace that a request is part of for its caller, by W3C Trace Context, whether or not it is traced here. */
export function callersTraceId(read: ReadHeader): string | undefined {
  const [, version, id, parent, more] = traceparentPattern.exec(read('traceparent') ?? '') ?? [];
  const isValid = version !== 'ff' && (version !== '00' || more === '') && !isZero(id) && !isZero(parent);
  return isValid ? id : undefined;
}

function isZero(id: string | undefined): boolean {
  return id === undefined || /^0+$/.test(id);
}
