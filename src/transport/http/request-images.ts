import type { FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '../../errors/service-error.ts';
import type { ImageInput, Raster } from '../../image/raster.ts';
import { jsonImages } from './json-images.ts';
import { multipartImages } from './multipart-images.ts';
import { type BodyArrival, readBody } from './read-body.ts';

export interface BodyLimits {
  readonly maxBodyBytes: number;
  readonly maxImages: number;
}

/**
 * The pixels in a .npy file, `stacked` when its array is a list of pictures; undefined for bytes that are not .npy.
 * Throws ServiceError for a .npy file that holds something else.
 */
export type ReadPixels = (
  bytes: Uint8Array<ArrayBuffer>,
) => { readonly rasters: readonly Raster[]; readonly stacked: boolean } | undefined;

export interface RequestImages {
  readonly images: readonly ImageInput[];
  /** True when the caller sent a list, even of one. */
  readonly stacked: boolean;
}

/**
 * The images of a request. Its content type says whether they come in a form or in JSON; any other body is the
 * image itself, whatever it is called. What an image is, its bytes decide: .npy pixels, or a file for the decoder.
 */
export async function requestImages(
  request: FastifyRequest,
  reply: FastifyReply,
  limits: BodyLimits,
  onArrive: BodyArrival['onArrive'],
  readPixels: ReadPixels,
): Promise<RequestImages> {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new ServiceError(
      'unsupported_media',
      'Bodies with a content-encoding are not taken; send the bytes as they are.',
    );
  }
  const { blobs, stacked } = await readBlobs(request, reply, limits, onArrive);
  const inputs = blobs.map((bytes) => imageInputs(bytes, readPixels));
  return {
    images: limitImages(
      inputs.flatMap((input) => input.images),
      limits,
    ),
    stacked: stacked || inputs.some((input) => input.stacked),
  };
}

async function readBlobs(
  request: FastifyRequest,
  reply: FastifyReply,
  limits: BodyLimits,
  onArrive: BodyArrival['onArrive'],
): Promise<{ blobs: readonly Uint8Array<ArrayBuffer>[]; stacked: boolean }> {
  const continueBody = (): void => reply.raw.writeContinue();
  if (request.isMultipart()) {
    const blobs = await multipartImages(request, continueBody, {
      maxBytes: limits.maxBodyBytes,
      onArrive,
      maxImages: limits.maxImages,
    });
    return { blobs, stacked: blobs.length > 1 };
  }
  const body = await readBody(request.raw, continueBody, { maxBytes: limits.maxBodyBytes, onArrive });
  if (body.byteLength === 0) throw new ServiceError('invalid_argument', 'The body is empty; send an image.');
  if (!isJson(request.headers['content-type'])) return { blobs: [body], stacked: false };
  const { images, stacked } = await jsonImages(body, limits.maxImages);
  return { blobs: images, stacked };
}

function imageInputs(bytes: Uint8Array<ArrayBuffer>, readPixels: ReadPixels): RequestImages {
  if (bytes.byteLength === 0) throw new ServiceError('invalid_argument', 'An image of the request is empty.');
  const pixels = readPixels(bytes);
  if (pixels === undefined) return { images: [{ kind: 'file', bytes }], stacked: false };
  return {
    images: pixels.rasters.map((raster) => ({ kind: 'raster', raster })),
    stacked: pixels.stacked,
  };
}

function limitImages(images: readonly ImageInput[], limits: BodyLimits): readonly ImageInput[] {
  if (images.length <= limits.maxImages) return images;
  throw new ServiceError(
    'too_large',
    `The request has ${images.length} images; ${limits.maxImages} are the most.`,
  );
}

function isJson(contentType: string | undefined): boolean {
  return contentType !== undefined && /^\s*application\/json\s*(;|$)/i.test(contentType);
}
