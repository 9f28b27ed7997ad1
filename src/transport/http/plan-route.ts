import type { FastifyReply, FastifyRequest } from 'fastify';
import type { VisualEncoder } from '../../encoding/request.ts';
import { ServiceError } from '../../errors/service-error.ts';
import type { RecipeOptions } from '../../recipes/recipe-options.ts';
import { metadataJson } from '../../tokens/formats/metadata.ts';
import { parseOptions } from '../request-options.ts';
import { singleValues, termsOf } from './request-head.ts';
import { encodeEndpoints } from './routes.ts';
import { sendJson } from './send-json.ts';

const recipeNames = Object.values(encodeEndpoints);

/** The longest side that an image's header can state: PNG's. */
export const maxSide = 2 ** 31 - 1;

/**
 * Describes the answer to an encode of an image of `width` x `height` pixels: its metadata, tokens and bytes. Throws what
 * that encode would throw.
 */
export function answerPlan(request: FastifyRequest, reply: FastifyReply, encoder: VisualEncoder): void {
  const { recipe: name, width, height, ...query } = singleValues(request.query);
  const asked = parseOptions(recipeNamed(name), query, ['recipe', 'width', 'height']);
  const size = { width: side('width', width), height: side('height', height) };
  const { metadata, tokens, sizeBytes } = encoder.plan({ size, ...asked, terms: termsOf(request) });
  sendJson(reply, `{"metadata":${metadataJson(metadata)},"tokens":${tokens},"size_bytes":${sizeBytes}}`);
}

function recipeNamed(text: string | undefined): RecipeOptions['recipe'] {
  const known = recipeNames.find((name) => name === text);
  if (known !== undefined) return known;
  throw invalid(`recipe must be one of ${recipeNames.join(', ')}`, text);
}

function side(name: string, text: string | undefined): number {
  const pixels = text !== undefined && /^[0-9]{1,10}$/.test(text) ? Number(text) : 0;
  if (pixels >= 1 && pixels <= maxSide) return pixels;
  throw invalid(`${name} must be a whole number of pixels from 1 to ${maxSide}`, text);
}

function invalid(rule: string, text: string | undefined): ServiceError {
  const given = text === undefined ? 'and is missing' : `not ${JSON.stringify(text.slice(0, 64))}`;
  return new ServiceError('invalid_argument', `${rule}, ${given}.`);
}
