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
    const fail = (failure: ServiceError): void => {
      stop();
      reject(failure);
    };
    const stopReceiving = receiveBody(request, reply, limits.maxBodyBytes, fail);
    const stopWatching = watchForm(request, limits.formEndMs, () => fail(withoutEnd()));
    const stop = (): void => {
      stopReceiving();
      stopWatching();
    };
    collectParts(request, limits).finally(stop).then(resolve, reject);
  });
}

/**
 * Calls `onStuck` when a form has arrived and nothing of it has been read for `limitMs`: @fastify/busboy 3.2.6 never ends a
 * form whose part has no name and is longer than a stream's buffer.
 */
function watchForm({ raw }: FastifyRequest, limitMs: number, onStuck: () => void): () => void {
  let hasMoved = true;
  const move = (): void => {
    hasMoved = true;
  };
  raw.on('data', move);
  const timer = setInterval(() => {
    if (raw.complete && !hasMoved) onStuck();
    hasMoved = false;
  }, limitMs);
  return () => {
    clearInterval(timer);
    raw.off('data', move);
  };
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
