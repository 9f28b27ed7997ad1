import { createHash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { VisualEncoder } from '../../encoding/request.ts';
import { ServiceError } from '../../errors/service-error.ts';
import { digestOf } from '../../image/raster.ts';
import type { RecipeOptions } from '../../recipes/recipe-options.ts';
import { withoutTokens } from '../../telemetry/request-log.ts';
import { tokenFormats } from '../../tokens/formats/format.ts';
import { parseOptions } from '../request-options.ts';
import { chooseFormat, requireFormat } from './answer-format.ts';
import { singleValues, termsOf } from './request-head.ts';
import { type SendSettings, sendTokens } from './send-tokens.ts';

/**
 * Sends the cached tokens of an image that the client names by its digest, or 304 if the client has them already. Throws
 * `not_found` if they are not in the cache.
 */
export async function answerCached(
  request: FastifyRequest,
  reply: FastifyReply,
  { encoder, ...settings }: SendSettings & { readonly encoder: VisualEncoder },
  recipe: RecipeOptions['recipe'],
): Promise<void> {
  const { format: wanted, image: digest, ...query } = singleValues(request.query);
  if (digest === undefined) {
    throw new ServiceError(
      'invalid_argument',
      'GET answers from the cache, for image=sha256:... of a file. POST the image itself to have it encoded.',
    );
  }
  const image = digestOf('image', digest);
  const asked = parseOptions(recipe, query, ['format', 'image']);
  const format = chooseFormat(wanted, request.headers.accept);
  if (format === 'jsonl') {
    throw new ServiceError('not_acceptable', `GET answers one image, as one of ${tokenFormats.join(', ')}.`);
  }
  requireFormat(format, asked);
  const { scope } = request;
  const answer = await encoder.encode({
    images: [image],
    stacked: false,
    ...asked,
    terms: termsOf(request),
    hasUuids: format === 'vllm',
    trace: scope.trace,
    signal: scope.signal,
  });
  const hash = createHash('sha256')
    .update(`${format} ${answer.keys.join(' ')}`)
    .digest('base64url');
  // Weak: tokens that are computed again may differ in their last bits.
  const etag = `W/"${hash}"`;
  const headers = {
    etag,
    'cache-control': 'private, no-cache',
    vary: 'accept, authorization, x-api-key, origin',
  };
  if (matches(request.headers['if-none-match'], etag)) {
    answer.release();
    scope.answer = withoutTokens(answer);
    await reply.code(304).headers(headers).send();
    return;
  }
  await sendTokens(reply, { ...settings, format }, answer, headers);
}

/** Compares If-None-Match by the weak comparison (RFC 9110, 13.1.2). */
function matches(given: string | undefined, etag: string): boolean {
  if (given === undefined) return false;
  const opaque = (tag: string): string => tag.trim().replace(/^W\//, '');
  return given.trim() === '*' || given.split(',').some((tag) => opaque(tag) === opaque(etag));
}
