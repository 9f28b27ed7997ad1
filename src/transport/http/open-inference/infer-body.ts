import { promisify } from 'node:util';
import { gunzip, inflate } from 'node:zlib';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '../../../errors/service-error.ts';
import { type InferInput, type InferRequest, invalid } from '../../open-inference/infer-request.ts';
import { inputNames } from '../../open-inference/read-images.ts';
import type { HttpLimits } from '../limits.ts';
import type { JsonPool } from '../json-pool.ts';
import { readBody } from '../read-body.ts';
import type { HeadInput } from './infer-head.ts';

/** Gives the length of the JSON at the start of a body with binary tensors. */
export const headLengthHeader = 'inference-header-content-length';

export interface InferBodyReaders {
  readonly limits: HttpLimits;
  readonly jsonPool: JsonPool;
}

/** What a body says; the path names the model. */
export type InferBody = Omit<InferRequest, 'modelName' | 'modelVersion'> & {
  /** Whether the body is an image alone, whose answer is binary. */
  readonly isImageAlone: boolean;
  /** Bytes of the whole body. */
  readonly sizeBytes: number;
};

/** Reads the body of an infer request: JSON, JSON and binary tensors, or an image alone. Tensors stay in its buffer. */
export async function readInferBody(
  request: FastifyRequest,
  reply: FastifyReply,
  { limits, jsonPool }: InferBodyReaders,
): Promise<InferBody> {
  const body = await readDecoded(request, reply, limits.maxBodyBytes);
  const sizeBytes = body.byteLength;
  const headBytes = headLengthOf(request, sizeBytes);
  if (headBytes === 0) return imageAlone(body);
  const tensors = body.subarray(headBytes);
  const head = await jsonPool.readInferHead(body.subarray(0, headBytes));
  return {
    ...head,
    inputs: withTensors(head.inputs, tensors),
    isImageAlone: false,
    sizeBytes,
  };
}

/** The length of the JSON: all of the body if there is no header. */
function headLengthOf({ headers }: FastifyRequest, bodyBytes: number): number {
  const text = headers[headLengthHeader]?.toString();
  if (text === undefined) {
    if (bodyBytes === 0) throw invalid('The body is empty: send an infer request.');
    return bodyBytes;
  }
  const length = /^\d{1,10}$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY;
  if (length <= bodyBytes) return length;
  throw invalid(
    `${headLengthHeader} is ${JSON.stringify(text.slice(0, 64))}; it must be a number of bytes, at most the body's ${bodyBytes}.`,
  );
}

/** The request whose body is the bytes of one image file, as Triton reads a raw request for one input. */
function imageAlone(bytes: Uint8Array): InferBody {
  const input: InferInput = {
    name: inputNames.files,
    datatype: 'BYTES',
    shape: [1],
    parameters: new Map(),
    data: { kind: 'elements', elements: [bytes] },
  };
  const sizeBytes = bytes.byteLength;
  return { id: '', parameters: new Map(), inputs: [input], outputs: [], isImageAlone: true, sizeBytes };
}

/** Gives each binary input its bytes, which follow the JSON in the order of the inputs. */
function withTensors(inputs: readonly HeadInput[], tensors: Uint8Array): InferInput[] {
  let at = 0;
  const filled = inputs.map(({ data, ...input }): InferInput => {
    if (data.kind !== 'binary') return { ...input, data };
    const bytes = tensors.subarray(at, at + data.sizeBytes);
    at += data.sizeBytes;
    return { ...input, data: { kind: 'raw', bytes } };
  });
  if (at === tensors.byteLength) return filled;
  throw invalid(
    `The inputs have ${at} bytes of binary data by their binary_data_size; ${tensors.byteLength} follow the JSON, whose length ` +
      `is ${headLengthHeader}.`,
  );
}

const decoders = { gzip: promisify(gunzip), deflate: promisify(inflate) } as const;

/** The body, decompressed where its client compressed it. */
async function readDecoded(
  request: FastifyRequest,
  reply: FastifyReply,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const encoding = encodingOf(request);
  const body = await readBody(request, reply, maxBytes);
  if (encoding === undefined) return body;
  try {
    return await decoders[encoding](body, { maxOutputLength: maxBytes });
  } catch (thrown) {
    if (thrown instanceof RangeError) {
      throw new ServiceError('too_large', 'The decompressed body is over the limit (--max-body-bytes).', {
        cause: thrown,
      });
    }
    throw new ServiceError('invalid_argument', `The body is not valid ${encoding}.`, { cause: thrown });
  }
}

/** Whether a request's body is compressed, so that its length says little of what it takes. */
export function isCompressed(request: FastifyRequest): boolean {
  return encodingOf(request) !== undefined;
}

function encodingOf({ headers }: FastifyRequest): keyof typeof decoders | undefined {
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? 'identity';
  if (encoding === 'identity') return undefined;
  if (encoding === 'gzip' || encoding === 'deflate') return encoding;
  throw new ServiceError(
    'unsupported_media',
    'The body has a content-encoding other than gzip and deflate; send it without one.',
  );
}
