import Negotiator from 'negotiator';
import { ServiceError } from '../../errors/service-error.ts';
import type { EncodeRequest } from '../../encoding/request.ts';
import { requireDtype, tokenFormats } from '../../tokens/formats/format.ts';
import { type VllmFormat, vllmFormats } from '../../tokens/formats/vllm.ts';

/** The formats of an answer, the default first. */
export const answerFormats = [...tokenFormats, 'jsonl'] as const;
export type AnswerFormat = (typeof answerFormats)[number];

/** The media types of each format; answers have the first. */
export const formatTypes = {
  npy: ['application/x-npy', 'application/npy'],
  raw: ['application/octet-stream'],
  safetensors: ['application/x-safetensors', 'application/safetensors'],
  json: ['application/json'],
  torch: ['application/x-pytorch'],
  vllm: ['application/x-vllm-image-embeds+json'],
  'vllm-prompt-embeds': ['application/x-vllm-prompt-embeds+json'],
  jsonl: ['application/jsonl', 'application/x-ndjson'],
} as const satisfies Record<AnswerFormat, readonly [string, ...string[]]>;

/**
 * The format of the answer: `format` if given, otherwise what the Accept header prefers (RFC 9110, 12.5.1). Throws
 * `invalid_argument` for an unknown format, and `not_acceptable` if the header allows none.
 */
export function chooseFormat(format: string | undefined, accept: string | undefined): AnswerFormat {
  if (format !== undefined) return namedFormat(format);
  // A header without a media type is ignored.
  if (accept === undefined || accept === '*/*' || !accept.includes('/')) return answerFormats[0];
  // A wildcard matches a format's first type only; its other types must be named.
  const offered = answerFormats.flatMap((name): readonly string[] =>
    formatTypes[name].filter((type, index) => index === 0 || accept.toLowerCase().includes(type)),
  );
  const [best] = new Negotiator({ headers: { accept } }).mediaTypes(offered);
  const accepted = answerFormats.find((name) => formatTypes[name].some((type) => type === best));
  if (accepted !== undefined) return accepted;
  const types = answerFormats.map((name) => formatTypes[name][0]).join(', ');
  throw new ServiceError('not_acceptable', `Tokens are answered as ${types}; Accept allows none of these.`);
}

/** Throws unless the format can hold the answer. A part for vLLM holds the embeddings of one image. */
export function requireFormat(
  format: AnswerFormat,
  { recipe, options }: Pick<EncodeRequest, 'recipe' | 'options'>,
): void {
  if (format === 'jsonl') return;
  requireDtype(format, options.dtype);
  if (!isVllm(format)) return;
  if (options.output !== 'embeddings') {
    const given = options.output === 'pooled' ? 'a pooled vector is' : 'features are';
    throw new ServiceError(
      'invalid_argument',
      `${format} holds what a language model takes, and ${given} not that: add output=embeddings, or use another format.`,
    );
  }
  if (recipe.recipe !== 'anyres' || recipe.assembly !== 'tiles') return;
  throw new ServiceError(
    'not_acceptable',
    `${format} holds [rows, width], and assembly=tiles answers [views, rows, width]: leave assembly out, or use another format.`,
  );
}

/** Whether an answer in this format is a part of a vLLM message; of several images, a list of parts. */
export function isVllm(format: AnswerFormat): format is VllmFormat {
  return vllmFormats.some((known) => known === format);
}

function namedFormat(value: string): AnswerFormat {
  const known = answerFormats.find((name) => name === value);
  if (known !== undefined) return known;
  const given = JSON.stringify(value.slice(0, 64));
  throw new ServiceError(
    'invalid_argument',
    `format must be one of ${answerFormats.join(', ')}, not ${given}.`,
  );
}
