import type { ServiceError } from '../errors/service-error.ts';

export type Attributes = Readonly<Record<string, string | number | boolean>>;

/** The stages of a request, in their order. */
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
  'project',
  'write',
] as const;
export type Stage = (typeof stages)[number];

/** A batch that the engine has run. */
export interface TracedBatch {
  readonly model: string;
  readonly views: number;
  readonly startMs: number;
  readonly endMs: number;
  /** The traces of its requests. */
  readonly traces: readonly Trace[];
}

/** How a request ended. */
export interface TracedEnd {
  /** The call's name in its protocol. */
  readonly name: string;
  readonly attributes: Attributes;
  readonly endMs: number;
  /** The failure, if it is the service's fault. */
  readonly fault?: ServiceError | undefined;
}

/** The trace of one sampled request. Times are milliseconds by performance.now(). */
export interface Trace {
  /** 32 hexadecimal digits. */
  readonly id: string;
  /** The same trace, for the stages of one of several images. */
  ofImage(index: number): Trace;
  /** Records a stage that has ended. */
  stage(stage: Stage, startMs: number, endMs: number, attributes?: Attributes): void;
  /** Records a batch in this trace, with links to the traces of all its requests. */
  batch(batch: TracedBatch): void;
  /** Ends the trace. */
  end(end: TracedEnd): void;
}

/** Reads a header, or a key of gRPC metadata. */
export type ReadHeader = (key: 'traceparent' | 'tracestate') => string | undefined;

/** Begins the traces of requests. */
export interface Tracer {
  /** Undefined for a request that is not sampled. */
  begin(read: ReadHeader, startMs: number): Trace | undefined;
}

/** A tracer that sends its traces. */
export interface Tracing extends Tracer {
  close(): Promise<void>;
}

/** Version, trace, parent and flags; later versions than 00 may add to them. */
const traceparentPattern = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(|-.*)$/;

/** The trace id in the caller's traceparent header, whether or not the request is traced here. */
export function callersTraceId(read: ReadHeader): string | undefined {
  const [, version, id, parent, more] = traceparentPattern.exec(read('traceparent') ?? '') ?? [];
  const isValid = version !== 'ff' && (version !== '00' || more === '') && !isZero(id) && !isZero(parent);
  return isValid ? id : undefined;
}

function isZero(id: string | undefined): boolean {
  return id === undefined || /^0+$/.test(id);
}
