import {
  type Context,
  diag,
  DiagLogLevel,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace as api,
  type Tracer as SpanTracer,
} from '@opentelemetry/api';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BasicTracerProvider, BatchSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-base';
import type { Logger } from 'pino';
import type { Attributes, ReadHeader, Stage, Trace, TracedBatch, TracedEnd, Tracing } from './trace.ts';

/** How long a collector that does not answer may delay the end of the process. */
const closeMs = 1500;

/**
 * Traces with OpenTelemetry and sends them with `exporter`. OpenTelemetry's libraries read the sampler, the resource
 * and the batch settings from the standard `OTEL_` variables. Nothing is registered globally; parents are explicit.
 */
export function openOtlpTracing(exporter: SpanExporter, version: string, logger: Logger): Tracing {
  const own = resourceFromAttributes({ 'service.name': 'siglip-hd', 'service.version': version });
  const provider = new BasicTracerProvider({
    resource: own.merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor(exporter)],
  });
  const tracer = provider.getTracer('siglip-hd', version);
  const propagator = new W3CTraceContextPropagator();
  return {
    begin(read, startMs) {
      const parent = propagator.extract(ROOT_CONTEXT, read, headers);
      const epochMs = Date.now() - performance.now();
      const span = tracer.startSpan(
        'request',
        { kind: SpanKind.SERVER, startTime: epochMs + startMs },
        parent,
      );
      return span.isRecording()
        ? new RequestTrace(tracer, span, api.setSpan(parent, span), epochMs)
        : undefined;
    },
    async close() {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<boolean>((resolve) => {
        timer = setTimeout(resolve, closeMs, true);
      });
      // It fails if the collector does not accept a span; the diagnostics say why.
      const ended = provider.shutdown().then(
        () => false,
        () => true,
      );
      const isLost = await Promise.race([ended, late]);
      clearTimeout(timer);
      if (isLost) logger.warn('the last traces are lost: the collector did not accept them in time');
    },
  };
}

const headers = {
  keys: () => ['traceparent', 'tracestate'],
  get: (read: ReadHeader, key: string) =>
    key === 'traceparent' || key === 'tracestate' ? read(key) : undefined,
};

class RequestTrace implements Trace {
  readonly #tracer: SpanTracer;
  readonly #span: Span;
  readonly #context: Context;
  /** Add it to performance.now() for milliseconds since 1970. */
  readonly #epochMs: number;
  readonly #imageAttributes: Attributes;

  constructor(
    tracer: SpanTracer,
    span: Span,
    context: Context,
    epochMs: number,
    imageAttributes: Attributes = {},
  ) {
    this.#tracer = tracer;
    this.#span = span;
    this.#context = context;
    this.#epochMs = epochMs;
    this.#imageAttributes = imageAttributes;
  }

  get id(): string {
    return this.#span.spanContext().traceId;
  }

  ofImage(index: number): Trace {
    const attributes = { 'siglip_hd.image': index };
    return new RequestTrace(this.#tracer, this.#span, this.#context, this.#epochMs, attributes);
  }

  stage(stage: Stage, startMs: number, endMs: number, attributes: Attributes = {}): void {
    const options = {
      startTime: this.#epochMs + startMs,
      attributes: { ...attributes, ...this.#imageAttributes },
    };
    this.#tracer.startSpan(stage, options, this.#context).end(this.#epochMs + endMs);
  }

  batch({ model, views, startMs, endMs, traces }: TracedBatch): void {
    const spans = traces.flatMap((trace) => (trace instanceof RequestTrace ? [trace.#span] : []));
    const options = {
      startTime: this.#epochMs + startMs,
      attributes: { 'siglip_hd.model': model, 'siglip_hd.views': views },
      links: [...new Set(spans)].map((span) => ({ context: span.spanContext() })),
    };
    this.#tracer.startSpan('batch', options, this.#context).end(this.#epochMs + endMs);
  }

  end({ name, attributes, endMs, fault }: TracedEnd): void {
    const span = this.#span;
    span.updateName(name).setAttributes(attributes);
    if (fault !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: fault.message });
    span.end(this.#epochMs + endMs);
  }
}

/** The least time between two warnings. One for each attempt would fill the log. */
const quietMs = 60_000;

/** Sends OpenTelemetry's own diagnostics to the log. */
export function logDiagnostics(logger: Logger): void {
  diag.setLogger(diagnosticsTo(logger), { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
}

function diagnosticsTo(logger: Logger) {
  let warnedAt = Number.NEGATIVE_INFINITY;
  const warn = (message: string, ...details: unknown[]): void => {
    const level = performance.now() - warnedAt < quietMs ? 'debug' : 'warn';
    if (level === 'warn') warnedAt = performance.now();
    logger[level]({ detail: [message, ...details].map(String).join(' ') }, 'traces');
  };
  const drop = (): void => undefined;
  return { error: warn, warn, info: drop, debug: drop, verbose: drop };
}
