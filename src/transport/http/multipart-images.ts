import type { FastifyRequest } from 'fastify';
import { ServiceError } from '../../errors/service-error.ts';
import { type BodyArrival, limitBody } from './read-body.ts';

/**
 * The `image` parts of a multipart/form-data body, in order. Throws invalid_argument for another part or a body
 * that is broken, too_large over `maxImages` or `maxBytes`, and cancelled when the client leaves before the end.
 */
export async function multipartImages(
  request: FastifyRequest,
  continueBody: () => void,
  limits: BodyArrival & { readonly maxImages: number },
): Promise<Uint8Array<ArrayBuffer>[]> {
  return await new Promise((resolve, reject) => {
    limitBody(request.raw, continueBody, limits, reject);
    collectParts(request, limits).then(resolve, reject);
  });
}

async function collectParts(
  request: FastifyRequest,
  limits: { readonly maxBytes: number; readonly maxImages: number },
): Promise<Uint8Array<ArrayBuffer>[]> {
  const images: Uint8Array<ArrayBuffer>[] = [];
  try {
    const parts = request.parts({
      limits: { fileSize: limits.maxBytes, parts: limits.maxImages + 1, headerPairs: 32, fieldNameSize: 100 },
      isPartAFile: () => true,
    });
    for await (const part of parts) {
      if (part.type !== 'file' || part.fieldname !== 'image') {
        const name = JSON.stringify((part.fieldname ?? '').slice(0, 64));
        throw new ServiceError(
          'invalid_argument',
          `A form has image parts alone, not ${name}; options are query parameters.`,
        );
      }
      if (images.length === limits.maxImages) {
        throw new ServiceError('too_large', `A request has ${limits.maxImages} images at most.`);
      }
      const { buffer, byteOffset, byteLength } = await part.toBuffer();
      images.push(new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength));
    }
  } catch (thrown) {
    throw multipartError(request, thrown);
  }
  if (images.length === 0) throw new ServiceError('invalid_argument', 'The form has no image part.');
  return images;
}

function multipartError(request: FastifyRequest, thrown: unknown): ServiceError {
  if (thrown instanceof ServiceError) return thrown;
  const cause = thrown instanceof Error ? thrown : new Error(String(thrown));
  if (request.raw.destroyed && !request.raw.complete) {
    return new ServiceError('cancelled', 'The client went away.', { cause });
  }
  const over = 'statusCode' in cause && cause.statusCode === 413;
  return new ServiceError(
    over ? 'too_large' : 'invalid_argument',
    over ? 'A part of the form is over the limit.' : `The form is broken: ${cause.message}.`,
    { cause },
  );
}
