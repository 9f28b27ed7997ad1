import type { FastifyRequest } from 'fastify';
import { ServiceError } from '../../errors/service-error.ts';
import { parseOptions } from '../request-options.ts';
import type { VisualEncoder } from '../../encoding/request.ts';
import type { RecipeOptions } from '../../recipes/recipe-options.ts';
import { metadataJson } from '../../tokens/formats/metadata.ts';
import type { Exchange } from './answer-writer.ts';
import { singleValues } from './query.ts';
import { encodeEndpoints } from './routes.ts';
import { termsOf } from './terms.ts';

const recipeNames = Object.values(encodeEndpoints);

/** The longest side that a picture's header can state: PNG's. */
export const maxSide = 2 ** 31 - 1;

/**
 * Answers what an encode call would answer for an image of `width` x `height` pixels: its metadata, tokens and bytes.
 * Throws what that call would answer.
 */
export function answerPlan(request: FastifyRequest, exchange: Exchange, encoder: VisualEncoder): void {
  const { recipe: name, width, height, ...query } = singleValues(request.query);
  const asked = parseOptions(recipeNamed(name), query, ['recipe', 'width', 'height']);
  const size = { width: side('width', width), height: side('height', height) };
  const { metadata, tokens, sizeBytes } = encoder.plan({ size, ...asked, terms: termsOf(request, exchange) });
  exchange.sendText(
    'application/json',
    `{"metadata":${metadataJson(metadata)},"tokens":${tokens},"size_bytes":${sizeBytes}}`,
  );
}

function recipeNamed(text: string | undefined): RecipeOptions['recipe'] {
  const known = recipeNames.find((name) => name === text);
  if (known !== undefined) return known;
  throw invalid(`recipe is one of ${recipeNames.join(', ')}`, text);
}

function side(name: string, text: string | undefined): number {
  const pixels = text !== undefined && /^[0-9]{1,10}$/.test(text) ? Number(text) : 0;
  if (pixels >= 1 && pixels <= maxSide) return pixels;
  throw invalid(`${name} is a whole number of pixels from 1 to ${maxSide}`, text);
}

function invalid(rule: string, text: string | undefined): ServiceError {
  const given = text === undefined ? 'and is not given' : `not ${JSON.stringify(text.slice(0, 64))}`;
  return new ServiceError('invalid_argument', `${rule}, ${given}.`);
}
