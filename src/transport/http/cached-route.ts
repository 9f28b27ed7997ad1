import { createHash } from 'node:crypto';
import type { FastifyRequest } from 'fastify';
import { ServiceError } from '../../errors/service-error.ts';
import { digestOf } from '../../image/raster.ts';
import { parseOptions } from '../request-options.ts';
import type { RecipeOptions } from '../../recipes/recipe-options.ts';
import { withoutTokens } from '../../telemetry/request-log.ts';
import { requireDtype, tokenFormats } from '../../tokens/formats/format.ts';
import { chooseFormat } from './answer-format.ts';
import type { EncodeRouteSettings } from './encode-route.ts';
import type { Exchange } from './answer-writer.ts';
import { singleValues } from './query.ts';
import { sendTokens } from './send-tokens.ts';
import { termsOf } from './terms.ts';

/**
 * Answers the tokens of an image that the client names by its digest, when the cache has them: `not_found` when
 * not, 304 when the client has them too.
 */
export async function answerCached(
  request: FastifyRequest,
  exchange: Exchange,
  { encoder, metrics }: Pick<EncodeRouteSettings, 'encoder' | 'metrics'>,
  recipe: RecipeOptions['recipe'],
): Promise<void> {
  const { format: wanted, image: digest, ...query } = singleValues(request.query);
  if (digest === undefined) {
    throw new ServiceError(
      'invalid_argument',
      'GET answers what is in the cache, for image=sha256:... of a file; POST the image itself to have it encoded.',
    );
  }
  const image = digestOf('image', digest);
  const asked = parseOptions(recipe, query, ['format', 'image']);
  const format = chooseFormat(wanted, request.headers.accept);
  if (format === 'jsonl') {
    throw new ServiceError('not_acceptable', `GET answers one image, as one of ${tokenFormats.join(', ')}.`);
  }
  requireDtype(format, asked.options.dtype);
  const answer = await encoder.encode({
    images: [image],
    stacked: false,
    ...asked,
    terms: termsOf(request, exchange),
    trace: exchange.trace,
    signal: exchange.signal,
  });
  // Weak: tokens that are computed anew may differ in their last bits.
  const etag = `W/"${createHash('sha256')
    .update(`${format} ${answer.keys.join(' ')}`)
    .digest('base64url')}"`;
  const headers = { etag, 'cache-control': 'private, no-cache', vary: 'accept, authorization, x-api-key' };
  if (matches(request.headers['if-none-match'], etag)) {
    answer.release();
    exchange.answer = withoutTokens(answer);
    exchange.send(304, headers, []);
    return;
  }
  await sendTokens(exchange, metrics, format, answer, headers);
}

/** If-None-Match, by the weak comparison (RFC 9110, 13.1.2). */
function matches(given: string | undefined, etag: string): boolean {
  if (given === undefined) return false;
  const opaque = (tag: string): string => tag.trim().replace(/^W\//, '');
  return given.trim() === '*' || given.split(',').some((tag) => opaque(tag) === opaque(etag));
}
