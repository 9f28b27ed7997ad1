import type { FastifyReply, FastifyRequest } from 'fastify';
import { ServiceError } from '../../errors/service-error.ts';
import { tooManyImages } from './json-images.ts';
import type { HttpLimits } from './limits.ts';
import { receiveBody } from './read-body.ts';

/**
 * Reads the `image` parts of a multipart/form-data body, in order. Rejects with `invalid_argument` if there is any other
 * part or the body is broken, and with `too_large` if it exceeds a limit.
 */
export async function multipartImages(
  request: FastifyRequest,
  reply: FastifyReply,
  limits: HttpLimits,
): Promise<Uint8Array<ArrayBuffer>[]> {
  return await new Promise((resolve, reject) => {
    const stopReceiving = receiveBody(request, reply, limits.maxBodyBytes, reject);
    let timer: NodeJS.Timeout | undefined;
    const expectEnd = (): void => {
      timer = setTimeout(() => {
        stop();
        reject(withoutEnd());
      }, limits.formEndMs);
    };
    request.raw.once('end', expectEnd);
    const stop = (): void => {
      stopReceiving();
      request.raw.off('end', expectEnd);
      clearTimeout(timer);
    };
    collectParts(request, limits).finally(stop).then(resolve, reject);
  });
}

async function collectParts(
  request: FastifyRequest,
  { maxBodyBytes, maxImages }: HttpLimits,
): Promise<Uint8Array<ArrayBuffer>[]> {
  const images: Uint8Array<ArrayBuffer>[] = [];
  try {
    const parts = request.parts({
      limits: { fileSize: maxBodyBytes, parts: maxImages + 1, headerPairs: 32, fieldNameSize: 100 },
      isPartAFile: () => true,
    });
    for await (const part of parts) {
      if (part.type !== 'file' || part.fieldname !== 'image') {
        const name = JSON.stringify((part.fieldname ?? '').slice(0, 64));
        throw new ServiceError(
          'invalid_argument',
          `The parts of a form are named image, not ${name}; options are query parameters.`,
        );
      }
      if (images.length === maxImages) throw tooManyImages(maxImages);
      // part.toBuffer() would keep the buffer for as long as the request lives.
      const chunks: Buffer[] = await part.file.toArray();
      if (part.file.truncated) throw tooLarge();
      images.push(Buffer.concat(chunks));
    }
  } catch (thrown) {
    throw multipartError(thrown);
  }
  if (images.length === 0) throw new ServiceError('invalid_argument', 'The form has no image part.');
  return images;
}

/** @fastify/busboy 3.2.6 never ends a form whose part has no name and is longer than a stream's buffer. */
function withoutEnd(): ServiceError {
  return new ServiceError(
    'invalid_argument',
    'The form is broken: a part has no name, or its header is damaged. Send each image as a part named image.',
  );
}

function multipartError(thrown: unknown): ServiceError {
  if (thrown instanceof ServiceError) return thrown;
  const cause = thrown instanceof Error ? thrown : new Error(String(thrown));
  if ('statusCode' in cause && cause.statusCode === 413) {
    return tooLarge(cause);
  }
  return new ServiceError('invalid_argument', `The form is broken: ${cause.message}.`, { cause });
}

function tooLarge(cause?: Error): ServiceError {
  return new ServiceError('too_large', 'The form has too many parts or too large a part.', { cause });
}
