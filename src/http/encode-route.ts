import type { FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '../errors.ts';
import type { Metrics } from '../metrics.ts';
import { parseEncodeOptions } from '../request-options.ts';
import type { EncodeAnswer, EncodeOptions, StageTimings, VisualEncoder } from '../request.ts';
import { carriesMetadata, requireDtype, tokenFile } from '../tokens/format.ts';
import { metadataHeader } from '../tokens/metadata.ts';
import { chooseFormat } from './accept.ts';
import type { Exchange } from './exchange.ts';
import { type BodyLimits, type ReadPixels, requestImages } from './request-images.ts';

/** Room for a body; throws `overloaded` when there is none. Gives what frees the room again. */
export type AdmitBody = (sizeBytes: number) => () => void;

export interface EncodeRouteSettings {
  readonly encoder: VisualEncoder;
  readonly metrics: Metrics;
  readonly readPixels: ReadPixels;
  readonly admitBody: AdmitBody;
  readonly limits: BodyLimits;
}

/** Answers one encode. What can be refused before the body is read is refused then. */
export async function answerEncode(
  request: FastifyRequest,
  reply: FastifyReply,
  exchange: Exchange,
  settings: EncodeRouteSettings,
): Promise<void> {
  const { format: wanted, ...query } = singleValues(request.query);
  const options = parseEncodeOptions(query);
  const format = chooseFormat(wanted, request.headers.accept);
  requireDtype(format, options.dtype);
  const answer = await encodeBody(request, reply, exchange, settings, options);
  const writeStartMs = performance.now();
  const file = tokenFile(format, answer.tensor, answer.metadata);
  const timings = { ...answer.timings, writeMs: performance.now() - writeStartMs };
  settings.metrics.observeWrite(timings.writeMs);
  const headers = {
    'content-type': file.contentType,
    'content-length': file.contentLength,
    'server-timing': serverTiming(timings),
    ...(carriesMetadata(format) ? {} : { 'tokens-meta': metadataHeader(answer.metadata) }),
  };
  if (file.body.kind === 'buffers') exchange.send(200, headers, file.body.buffers);
  else await exchange.stream(200, headers, file.body.slices);
}

/** Holds room for the body while it is read and encoded, and no longer: not while a slow client reads. */
async function encodeBody(
  request: FastifyRequest,
  reply: FastifyReply,
  exchange: Exchange,
  settings: EncodeRouteSettings,
  options: EncodeOptions,
): Promise<EncodeAnswer> {
  const { limits } = settings;
  const releaseBody = settings.admitBody(declaredBytes(request, limits));
  try {
    const { images, stacked } = await requestImages(request, reply, limits, settings.readPixels);
    return await settings.encoder.encode({ images, stacked, options, signal: exchange.signal });
  } finally {
    releaseBody();
  }
}

/** The query with one value a name; throws invalid_argument for a name that comes twice. */
function singleValues(query: unknown): Record<string, string> {
  for (const [name, value] of Object.entries(query as Record<string, string | string[]>)) {
    if (typeof value !== 'string') {
      throw new ServiceError(
        'invalid_argument',
        `${JSON.stringify(name.slice(0, 64))} is given more than once.`,
      );
    }
  }
  return query as Record<string, string>;
}

/** What the client says it sends, or the most that it may send when it does not say. */
function declaredBytes(request: FastifyRequest, limits: BodyLimits): number {
  const declared = request.headers['content-length'];
  return declared === undefined ? limits.maxBodyBytes : Math.min(Number(declared), limits.maxBodyBytes);
}

function serverTiming(timings: StageTimings & { readonly writeMs: number }): string {
  const stages = [
    ['decode', timings.decodeMs],
    ['views', timings.viewsMs],
    ['queue', timings.queueMs],
    ['engine', timings.engineMs],
    ['write', timings.writeMs],
  ] as const;
  return stages.map(([stage, ms]) => `${stage};dur=${ms.toFixed(2)}`).join(', ');
}
