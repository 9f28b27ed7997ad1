import { constants } from 'node:buffer';
import { quoted, withoutControls } from '../../errors/quoted.ts';
import { type ErrorCode, ServiceError } from '../../errors/service-error.ts';
import { recognise } from '../../image/format.ts';
import { isUrl, namesFile } from './body-hints.ts';

export interface JsonImages {
  readonly images: readonly Uint8Array<ArrayBuffer>[];
  /** Whether the images came as a list. */
  readonly stacked: boolean;
}

const wanted = '{"image": base64} or {"images": [base64, ...]}';

/** More brackets than a body of images needs. JSON.parse takes a hundred times the memory of a body of brackets. */
const mostOfEach = 8192;

/**
 * Reads `{"image": base64}` or `{"images": [base64, ...]}`. The base64 has the standard or the URL-safe alphabet, padding
 * or none, line breaks or none, and may come as a data: URL. Throws invalid_argument, or too_large over a limit. Takes
 * some 10 ms for each megabyte.
 */
export function jsonImages(body: Uint8Array<ArrayBuffer>, maxImages: number): JsonImages {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  const fields = parseJsonObject(bytes, wanted);
  const names = Object.keys(fields);
  const name = names.find((each) => each === 'image' || each === 'images');
  const other = names.find((each) => each !== name);
  if (other !== undefined) {
    throw invalid(
      `The field ${short(other)} does not belong in the JSON body, which is ${wanted}; options are query parameters.`,
    );
  }
  if (name === undefined) throw invalid(`The JSON body has no image; it must be ${wanted}.`);
  const stacked = name === 'images';
  const values: unknown = stacked ? fields[name] : [fields[name]];
  if (!Array.isArray(values)) throw invalid('images must be a list of base64 strings.');
  if (values.length === 0) throw invalid('images is empty.');
  if (values.length > maxImages) throw tooManyImages(maxImages);
  const images = values.map((value: unknown, index) =>
    imageOfBase64(value, stacked ? `images[${index}]` : name),
  );
  // A string of base64 has no quote in it, so any others are those of a field that was given twice.
  const quotes = 2 + 2 * images.length;
  if (countOf(bytes, '"', quotes) > quotes) throw invalid(`The field ${name} is given twice.`);
  return { images, stacked };
}

/** The error for a request with too many images. */
export function tooManyImages(maxImages: number): ServiceError {
  return new ServiceError('too_large', `A request may have at most ${maxImages} images (--max-images).`);
}

/**
 * The object in a JSON body, which is to be `shape`. `imageAdvice` tells a caller whose body is an image file how to send
 * one. Throws invalid_argument, or too_large over a limit.
 */
export function parseJsonObject(
  bytes: Buffer,
  shape: string,
  imageAdvice = 'Send it with a content type such as image/jpeg, or none.',
): Record<string, unknown> {
  if (bytes.byteLength > constants.MAX_STRING_LENGTH) {
    throw invalid('The JSON body is too large to be parsed; send the image itself or a form.', 'too_large');
  }
  for (const bracket of ['[', '{', ',']) {
    if (countOf(bytes, bracket, mostOfEach) <= mostOfEach) continue;
    throw invalid(`The JSON body is more than ${shape}: it has over ${mostOfEach} of "${bracket}".`);
  }
  let value: unknown;
  try {
    // The decoder drops a byte order mark.
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (thrown) {
    throw invalid(`The body is not valid JSON: ${faultOf(bytes, thrown as SyntaxError, imageAdvice)}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(`The JSON body is not an object; it must be ${shape}.`);
  }
  return value as Record<string, unknown>;
}

function faultOf(bytes: Buffer, { message }: SyntaxError, imageAdvice: string): string {
  if (recognise(bytes).kind !== 'unknown') return `it is an image file. ${imageAdvice}`;
  if (message.includes('control character')) {
    return 'a string has a line break or another control character in it. Encode without line breaks, as base64 -w0 does.';
  }
  if (isWide(bytes)) return 'it is in UTF-16 or UTF-32. Write it in UTF-8, as JSON is.';
  // V8 quotes the character that it did not expect, and adds an excerpt of the body.
  return `${withoutControls(message.replace(/, (?:\.{3})?".*$/s, '').slice(0, 120))}.`;
}

/** Whether JSON is in UTF-16 or UTF-32: it starts with a byte order mark, or with an ASCII character of several bytes. */
function isWide(bytes: Buffer): boolean {
  const [first, second] = bytes;
  const isMarked = (first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff);
  return isMarked || first === 0 || second === 0;
}

/** The bytes of an image that a JSON body has as base64. `name` is the field's, for messages. */
export function imageOfBase64(value: unknown, name: string): Uint8Array<ArrayBuffer> {
  if (typeof value !== 'string') throw invalid(`${name} must be a string of base64.`);
  const base64 = withoutDataUrl(value.trim(), name).replace(/[\r\n]+/g, '');
  if (base64 === '') throw invalid(`${name} is empty.`);
  const digits = base64.replace(/={1,2}$/, '');
  const [wrong] = /[^A-Za-z0-9+/_-]/u.exec(digits) ?? [];
  if (wrong !== undefined) {
    throw invalid(`${name} is not valid base64: ${short(wrong)} is in it.${hintFor(value)}`);
  }
  const isPadded = digits.length < base64.length;
  if (digits.length % 4 === 1 || (isPadded && base64.length % 4 !== 0)) {
    throw invalid(`${name} is not valid base64: a part is missing.${hintFor(value)}`);
  }
  const image = Buffer.allocUnsafeSlow(Math.floor((digits.length * 3) / 4));
  image.write(digits, 'base64');
  return image;
}

/** The base64 of a data: URL (RFC 2397), with its percent escapes undone; other text as it is. */
function withoutDataUrl(text: string, name: string): string {
  if (!/^data:/i.test(text)) return text;
  const comma = text.indexOf(',');
  if (!/;\s*base64\s*$/i.test(text.slice(0, Math.max(0, comma)))) {
    throw invalid(`${name} is a data: URL without ";base64,".`);
  }
  const data = text.slice(comma + 1).trim();
  return data.replace(/%(?:2[BF]|3D|0[AD])/gi, decodeURIComponent);
}

function hintFor(text: string): string {
  if (/^\s*image\/[^,]{1,100};base64,/i.test(text)) return ' It is a data: URL without its "data:".';
  if (isUrl(text)) return ' It is a URL, and none is fetched: send the image.';
  if (namesFile(text)) return ' It is the name of a file: send what is in the file.';
  return /^[\w+/-]+ /.test(text) ? ' Where a URL is decoded, a "+" becomes a space.' : '';
}

/** Counts a character, but no further than `limit` + 1. */
function countOf(bytes: Buffer, character: string, limit: number): number {
  let count = 0;
  for (
    let at = bytes.indexOf(character);
    at !== -1 && count <= limit;
    at = bytes.indexOf(character, at + 1)
  ) {
    count += 1;
  }
  return count;
}

function short(text: string): string {
  return quoted(text.slice(0, 64));
}

function invalid(message: string, code: ErrorCode = 'invalid_argument'): ServiceError {
  return new ServiceError(code, message);
}
