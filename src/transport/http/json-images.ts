import { setImmediate as nextTurn } from 'node:timers/promises';
import { ServiceError } from '../../errors/service-error.ts';

/** Base64 characters decoded at a time, about half a millisecond's worth; a multiple of 4. */
const sliceChars = 512 * 1024;

interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * The images of `{"image": base64}` or `{"images": [base64, ...]}`. JSON.parse of a 20 MB body would hold the
 * thread for tens of milliseconds: the few tokens around the base64 are read here, and the base64 is decoded in
 * slices. Throws invalid_argument, and too_large over `maxImages`.
 */
export async function jsonImages(
  body: Uint8Array<ArrayBuffer>,
  maxImages: number,
): Promise<{ readonly images: Uint8Array<ArrayBuffer>[]; readonly stacked: boolean }> {
  const { spans, stacked } = new EnvelopeReader(body, maxImages).read();
  const images: Uint8Array<ArrayBuffer>[] = [];
  for (const [index, span] of spans.entries()) {
    images.push(await decodeBase64(body, span, stacked ? `images[${index}]` : 'image'));
  }
  return { images, stacked };
}

/** Reads the JSON around the base64 strings and says where they are. */
class EnvelopeReader {
  readonly #bytes: Buffer;
  readonly #maxImages: number;
  #at = 0;

  constructor(body: Uint8Array<ArrayBuffer>, maxImages: number) {
    this.#bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
    this.#maxImages = maxImages;
    if (this.#bytes.subarray(0, 3).toString('latin1') === '\xef\xbb\xbf') this.#at = 3;
  }

  read(): { spans: Span[]; stacked: boolean } {
    this.#expect('{', 'The JSON body is not an object');
    if (this.#take('}')) throw invalid('The JSON body has neither image nor images.');
    const key = this.#key();
    if (key !== 'image' && key !== 'images') {
      throw invalid(
        `The JSON body has image or images, not ${JSON.stringify(key.slice(0, 64))}; options are query parameters.`,
      );
    }
    this.#expect(':', `A colon is missing after ${key}`);
    const stacked = key === 'images';
    const spans = stacked ? this.#list() : [this.#base64('image')];
    if (this.#take(',')) {
      const other = JSON.stringify(this.#key().slice(0, 64));
      throw invalid(`The JSON body has one field, image or images; ${other} is one too many.`);
    }
    this.#expect('}', 'The JSON object does not end where it should');
    this.#skipSpace();
    if (this.#at < this.#bytes.byteLength) throw this.#broken('Something follows the JSON object');
    return { spans, stacked };
  }

  #list(): Span[] {
    this.#expect('[', 'images is not a list');
    const spans: Span[] = [];
    if (this.#take(']')) throw invalid('images is empty.');
    do {
      if (spans.length === this.#maxImages) {
        throw new ServiceError('too_large', `A request has ${this.#maxImages} images at most.`);
      }
      spans.push(this.#base64(`images[${spans.length}]`));
    } while (this.#take(','));
    this.#expect(']', 'The list of images does not end where it should');
    return spans;
  }

  #base64(name: string): Span {
    const span = this.#string(`${name} is not a string of base64`);
    if (span.start === span.end) throw invalid(`${name} is empty.`);
    return span;
  }

  #key(): string {
    const { start, end } = this.#string('A field name is missing');
    if (end - start > 1024) throw this.#broken('A field name is over 1,024 bytes long');
    const quoted = this.#bytes.toString('utf8', start - 1, end + 1);
    try {
      return String(JSON.parse(quoted));
    } catch {
      throw this.#broken('A field name is not valid JSON');
    }
  }

  /** What is between the quotes. Of the escapes base64 needs a slash's alone, which is undone later. */
  #string(otherwise: string): Span {
    this.#expect('"', otherwise);
    const start = this.#at;
    const end = this.#bytes.indexOf('"', start);
    if (end === -1) throw this.#broken('A string does not end');
    if (this.#bytes[end - 1] === 0x5c) throw this.#broken('A string of base64 has no quotes in it');
    this.#at = end + 1;
    return { start, end };
  }

  #take(character: string): boolean {
    this.#skipSpace();
    if (this.#bytes[this.#at] !== character.charCodeAt(0)) return false;
    this.#at += 1;
    return true;
  }

  #expect(character: string, otherwise: string): void {
    if (!this.#take(character)) throw this.#broken(otherwise);
  }

  #skipSpace(): void {
    for (;;) {
      const byte = this.#bytes[this.#at];
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return;
      this.#at += 1;
    }
  }

  #broken(message: string): ServiceError {
    return invalid(`${message} (at byte ${this.#at}).`);
  }
}

/** The text with every escaped slash plain, as PHP escapes them; a slice a turn. */
async function withPlainSlashes(text: Buffer): Promise<Buffer> {
  const plain = Buffer.allocUnsafe(text.byteLength);
  let length = 0;
  for (let at = 0; at < text.byteLength; ) {
    if (at > 0) await nextTurn();
    let end = Math.min(at + sliceChars, text.byteLength);
    // Not between a backslash and its slash.
    while (end < text.byteLength && text[end - 1] === 0x5c) end++;
    length += plain.write(text.toString('latin1', at, end).replaceAll('\\/', '/'), length, 'latin1');
    at = end;
  }
  return plain.subarray(0, length);
}

/**
 * Decodes standard or URL-safe base64, padded or not. Node passes over characters that are not base64, so a
 * count of bytes that comes out short shows them.
 */
async function decodeBase64(
  body: Uint8Array<ArrayBuffer>,
  span: Span,
  name: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const whole = Buffer.from(body.buffer, body.byteOffset + span.start, span.end - span.start);
  const text = whole.includes('\\') ? await withPlainSlashes(whole) : whole;
  const padding = text.at(-1) !== 0x3d ? 0 : text.at(-2) !== 0x3d ? 1 : 2;
  const chars = text.byteLength - padding;
  const bytes = Math.floor((chars * 3) / 4);
  const padded = padding === 0 || text.byteLength % 4 === 0;
  const decoded = Buffer.allocUnsafeSlow(bytes);
  let written = 0;
  for (let at = 0; at < chars; at += sliceChars) {
    if (at > 0) await nextTurn();
    const end = Math.min(at + sliceChars, chars);
    const expected = Math.floor(((end - at) * 3) / 4);
    const got = decoded.write(text.toString('latin1', at, end), written, 'base64');
    if (got !== expected) break;
    written += got;
  }
  if (written === bytes && padded && chars % 4 !== 1) return decoded;
  throw invalid(`${name} is not valid base64.${hintFor(text.toString('latin1', 0, 8))}`);
}

function hintFor(start: string): string {
  if (start.startsWith('data:')) return ' It starts like a data URL: send what follows its comma.';
  return /^https?:/.test(start) ? ' It is a URL, and none is fetched: send the image.' : '';
}

function invalid(message: string): ServiceError {
  return new ServiceError('invalid_argument', message);
}
