import type { FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '../../errors/service-error.ts';
import type { ImageInput, Raster } from '../../image/raster.ts';
import { strippedHint, textInPlaceOfImage } from './body-hints.ts';
import { tooManyImages } from './json-images.ts';
import type { JsonPool } from './json-pool.ts';
import type { HttpLimits } from './limits.ts';
import { multipartImages } from './multipart-images.ts';
import { readBody } from './read-body.ts';

/**
 * Reads the pixels in a .npy file, `stacked` if its array is a list of images. Undefined if the bytes are no .npy file.
 * Throws a ServiceError if the file contains anything else.
 */
export type ReadPixels = (
  bytes: Uint8Array<ArrayBuffer>,
) => { readonly rasters: readonly Raster[]; readonly stacked: boolean } | undefined;

export interface BodyReaders {
  readonly limits: HttpLimits;
  readonly jsonPool: JsonPool;
  readonly readPixels: ReadPixels;
}

export interface RequestImages {
  readonly images: readonly ImageInput[];
  /** Whether the caller sent a list, even of one. */
  readonly stacked: boolean;
  /** Bytes of all images together. */
  readonly sizeBytes: number;
  /** Added to the error message if an image cannot be decoded. */
  readonly hint: string;
}

/** What a body contains: the image itself, a form or JSON. */
interface Envelope {
  readonly files: readonly Uint8Array<ArrayBuffer>[];
  readonly stacked: boolean;
  readonly hint: string;
  /** curl's option that sends a file in this way, up to the @. */
  readonly curl: string;
}

/**
 * Reads the images of a request. A content type counts only if it is that of a form or JSON; any other body is the image
 * itself. The first bytes of an image show whether it is .npy.
 */
export async function requestImages(
  request: FastifyRequest,
  reply: FastifyReply,
  readers: BodyReaders,
): Promise<RequestImages> {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new ServiceError(
      'unsupported_media',
      'Compressed bodies are not accepted; send the bytes as they are, without a content-encoding.',
    );
  }
  const { files, stacked, hint, curl } = await readEnvelope(request, reply, readers);
  const read = { images: new Array<ImageInput>(), stacked, sizeBytes: 0, hint };
  for (const bytes of files) {
    const input = imagesOf(bytes, curl, readers.readPixels);
    read.images.push(...input.images);
    read.stacked ||= input.stacked;
    read.sizeBytes += bytes.byteLength;
  }
  if (read.images.length > readers.limits.maxImages) throw tooManyImages(readers.limits.maxImages);
  return read;
}

async function readEnvelope(
  request: FastifyRequest,
  reply: FastifyReply,
  { limits, jsonPool }: BodyReaders,
): Promise<Envelope> {
  if (request.isMultipart()) {
    const files = await multipartImages(request, reply, limits);
    return { files, stacked: files.length > 1, hint: '', curl: '-F image=' };
  }
  const body = await readBody(request, reply, limits.maxBodyBytes);
  if (body.byteLength === 0) {
    const isCurl = request.headers['user-agent']?.startsWith('curl/') === true;
    const hint = isCurl ? ' Check that the file exists that curl sends.' : '';
    throw new ServiceError('invalid_argument', `The body is empty: send an image.${hint}`);
  }
  const contentType = request.headers['content-type'];
  if (request.mediaType === 'application/json') {
    const { images, stacked } = await jsonPool.read(body, limits.maxImages);
    return { files: images, stacked, hint: '', curl: '--data-binary ' };
  }
  return { files: [body], stacked: false, hint: strippedHint(body, contentType), curl: '--data-binary ' };
}

function imagesOf(
  bytes: Uint8Array<ArrayBuffer>,
  curl: string,
  readPixels: ReadPixels,
): Pick<RequestImages, 'images' | 'stacked'> {
  if (bytes.byteLength === 0) throw new ServiceError('invalid_argument', 'An image of the request is empty.');
  const mistake = textInPlaceOfImage(bytes, curl);
  if (mistake !== undefined) throw new ServiceError('invalid_argument', mistake);
  const pixels = readPixels(bytes);
  if (pixels === undefined) return { images: [{ kind: 'file', bytes }], stacked: false };
  return { images: pixels.rasters.map((raster) => ({ kind: 'raster', raster })), stacked: pixels.stacked };
}
