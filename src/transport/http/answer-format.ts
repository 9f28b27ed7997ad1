import { ServiceError } from '../../errors/service-error.ts';
import { tokenFormats } from '../../tokens/formats/format.ts';

/** What an encode is answered in, the default first: files, and lines of JSON for image after image. */
export const answerFormats = [...tokenFormats, 'jsonl'] as const;
export type AnswerFormat = (typeof answerFormats)[number];

/** Media types that name each format; the first is the one answered with. */
export const formatTypes = {
  npy: ['application/x-npy', 'application/npy'],
  raw: ['application/octet-stream'],
  safetensors: ['application/x-safetensors', 'application/safetensors'],
  json: ['application/json'],
  jsonl: ['application/jsonl', 'application/x-ndjson'],
} as const satisfies Record<AnswerFormat, readonly [string, ...string[]]>;

interface MediaRange {
  readonly type: string;
  readonly quality: number;
}

/**
 * The format to answer in: `format` when given, otherwise by the Accept header (RFC 9110, 12.5.1). Of equal
 * quality a type named in full goes before one under a wildcard, then the order of `answerFormats` decides.
 * Ranges that do not parse are passed over. Throws invalid_argument for a format that there is none of, and
 * not_acceptable when the header leaves none.
 */
export function chooseFormat(format: string | undefined, accept: string | undefined): AnswerFormat {
  if (format !== undefined) return namedFormat(format);
  const ranges = accept === undefined ? [] : parseAccept(accept);
  if (ranges.length === 0) return answerFormats[0];
  let best: { format: AnswerFormat; quality: number; specificity: number } | undefined;
  for (const candidate of answerFormats) {
    const match = bestMatch(candidate, ranges);
    if (match === undefined || match.quality === 0) continue;
    const better =
      best === undefined ||
      match.quality > best.quality ||
      (match.quality === best.quality && match.specificity > best.specificity);
    if (better) best = { format: candidate, ...match };
  }
  if (best !== undefined) return best.format;
  const types = answerFormats.map((name) => formatTypes[name][0]).join(', ');
  throw new ServiceError('not_acceptable', `Tokens are answered as ${types}; Accept allows none of these.`);
}

function namedFormat(value: string): AnswerFormat {
  const known = answerFormats.find((name) => name === value);
  if (known !== undefined) return known;
  const given = JSON.stringify(value.slice(0, 64));
  throw new ServiceError('invalid_argument', `format is one of ${answerFormats.join(', ')}, not ${given}.`);
}

/** Quality of the most specific range that covers one of the format's types. */
function bestMatch(
  format: AnswerFormat,
  ranges: readonly MediaRange[],
): { quality: number; specificity: number } | undefined {
  let best: { quality: number; specificity: number } | undefined;
  for (const { type, quality } of ranges) {
    const specificity = type === '*/*' ? 1 : type === 'application/*' ? 2 : 3;
    const covers = specificity < 3 || formatTypes[format].some((own) => own === type);
    if (!covers) continue;
    const better =
      best === undefined ||
      specificity > best.specificity ||
      (specificity === best.specificity && quality > best.quality);
    if (better) best = { quality, specificity };
  }
  return best;
}

function parseAccept(header: string): MediaRange[] {
  const ranges: MediaRange[] = [];
  for (const item of header.split(',')) {
    const [type = '', ...parameters] = item.split(';').map((piece) => piece.trim().toLowerCase());
    if (!/^(\*|[^\s/*]+)\/(\*|[^\s/*]+)$/.test(type)) continue;
    const quality = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1';
    if (!/^(0(\.\d{0,3})?|1(\.0{0,3})?)$/.test(quality)) continue;
    ranges.push({ type, quality: Number(quality) });
  }
  return ranges;
}
