import type { ErrorCode, ServiceError } from '../errors/service-error.ts';
import { type EndedRequest, viewsOf } from './request-log.ts';
import { leastReady } from './stage-timings.ts';
import type { Attributes, Trace } from './trace.ts';

/** A request in its protocol's own terms. */
export interface WireCall {
  readonly name: string;
  readonly attributes: Attributes;
}

const faults: ReadonlySet<ErrorCode> = new Set(['internal', 'unavailable', 'deadline_exceeded']);

/** Whether a failure is the service's own, which OpenTelemetry counts as a server error. */
export function isFault({ code }: ServiceError): boolean {
  return faults.has(code);
}

/** Ends the trace of a request that has ended. */
export function endTrace(trace: Trace, request: EndedRequest, { name, attributes }: WireCall): void {
  const { requestId, caller, peer, streamedId, code, answer, failure } = request;
  trace.end({
    name,
    endMs: performance.now(),
    attributes: {
      ...attributes,
      'siglip_hd.request_id': requestId,
      ...(peer === undefined ? {} : { 'client.address': peer }),
      ...(caller === undefined ? {} : { 'siglip_hd.caller': caller }),
      ...(streamedId === undefined ? {} : { 'siglip_hd.streamed_id': streamedId }),
      ...(code === 'ok' ? {} : { 'error.type': code }),
      ...(answer === undefined ? {} : answerAttributes(answer)),
    },
    fault: failure !== undefined && isFault(failure) ? failure : undefined,
  });
}

function answerAttributes({ metadata, sources }: NonNullable<EndedRequest['answer']>): Attributes {
  const { model, recipe, images } = metadata;
  return {
    'siglip_hd.model': model.name,
    'siglip_hd.recipe': recipe,
    'siglip_hd.views': viewsOf(metadata),
    'siglip_hd.image_sizes': images.map(({ width, height }) => `${width}x${height}`).join(' '),
    'siglip_hd.source': leastReady(sources),
  };
}
