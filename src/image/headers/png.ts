import { promisify } from 'node:util';
import { constants, inflate } from 'node:zlib';
import type { Size } from '../../recipes/plan.ts';
import type { FileHeader } from './file-header.ts';

/**
 * Reads a PNG's chunks, those after the pixels too. As in Pillow, EXIF is an eXIf chunk or a text named "exif", else the
 * text "Raw profile type exif"; XMP is the text "XML:com.adobe.xmp", or if that is empty, the iTXt of that name. Of several
 * the last counts. Inflates texts on libuv's threads. The size is undefined if the file has no header or no pixels.
 */
export async function readPngHeader(file: Buffer): Promise<FileHeader> {
  let exif: Buffer | undefined;
  const texts = new Map<TextName, Text>();
  let international: Text | undefined;
  let hasPixels = false;
  let isAnimated = false;
  for (const { type, start, end } of chunksOf(file)) {
    if (type === types.IDAT) hasPixels = true;
    else if (type === types.acTL) isAnimated = true;
    else if (type === types.fcTL && hasPixels && isAnimated) break;
    else if (type === types.eXIf) exif = file.subarray(start, end);
    else if (type === types.tEXt || type === types.zTXt || type === types.iTXt) {
      const name = textNameAt(file, start);
      if (name === undefined) continue;
      const text = { type, afterName: file.subarray(start + name.length, end) };
      if (name !== 'exif\0') texts.set(name, text);
      else if (type === types.tEXt) exif = text.afterName;
      if (name === xmpName && type === types.iTXt) international = text;
    }
  }
  exif ??= rawProfile(await readText(texts.get(profileName)));
  let xmp = await readText(texts.get(xmpName));
  if (!xmp?.length) xmp = await readText(international);
  return { size: hasPixels ? sizeOf(file) : undefined, exif, xmp };
}

const profileName = 'Raw profile type exif\0';
const xmpName = 'XML:com.adobe.xmp\0';
const textNames = ['exif\0', profileName, xmpName] as const;
type TextName = (typeof textNames)[number];

/** Chunks' types as they lie in the file. */
const types = {
  IHDR: 0x49484452,
  IDAT: 0x49444154,
  IEND: 0x49454e44,
  acTL: 0x6163544c,
  fcTL: 0x6663544c,
  eXIf: 0x65584966,
  tEXt: 0x74455874,
  zTXt: 0x7a545874,
  iTXt: 0x69545874,
} as const;

const signatureBytes = 8;
/** Bounds the work on the calling thread: at 8 KiB of pixels a chunk, as libpng writes them, a file of 64 MiB. */
const maxChunks = 8192;
/** Largest inflated text; Pillow's own bound (PngImagePlugin.MAX_TEXT_CHUNK). */
const maxTextBytes = 2 ** 20;
/** Hexadecimal digits of as much EXIF as a JPEG segment holds, with their line breaks. */
const maxProfileText = 136 * 1024;

interface Chunk {
  readonly type: number;
  /** Where its content lies in the file. */
  readonly start: number;
  readonly end: number;
}

/** Ends at IEND, and at the first chunk that is cut short. */
function* chunksOf(file: Buffer): Generator<Chunk> {
  let at = signatureBytes;
  for (let i = 0; i < maxChunks && at + 8 <= file.length; i++) {
    const end = at + 8 + file.readUInt32BE(at);
    const type = file.readUInt32BE(at + 4);
    // The size can be told of a file whose pixels have yet to come.
    if (type === types.IEND || (end > file.length && type !== types.IDAT)) return;
    yield { type, start: at + 8, end };
    at = end + 4;
  }
}

function textNameAt(file: Buffer, start: number): TextName | undefined {
  return textNames.find((name) => {
    let matched = 0;
    while (matched < name.length && file[start + matched] === name.charCodeAt(matched)) matched += 1;
    return matched === name.length;
  });
}

function sizeOf(file: Buffer): Size | undefined {
  if (file.length < 33 || file.readUInt32BE(12) !== types.IHDR) return undefined;
  const [width, height] = [file.readUInt32BE(16), file.readUInt32BE(20)];
  return width > 0 && height > 0 ? { width, height } : undefined;
}

interface Text {
  readonly type: number;
  readonly afterName: Buffer;
}

/** Undefined for a text that is absent, damaged or longer than Pillow reads. */
async function readText(text: Text | undefined): Promise<Buffer | undefined> {
  if (text === undefined) return undefined;
  const { type, afterName } = text;
  if (type === types.tEXt) return afterName;
  if (type === types.zTXt) return afterName[0] === 0 ? await inflated(afterName.subarray(1)) : undefined;
  // A flag, a method, a language and a translated name, each of the last two ended by a zero.
  const languageEnd = afterName.indexOf(0, 2);
  const start = languageEnd === -1 ? 0 : afterName.indexOf(0, languageEnd + 1) + 1;
  if (start === 0) return undefined;
  if (afterName[0] === 0) return afterName.subarray(start);
  return afterName[1] === 0 ? await inflated(afterName.subarray(start)) : undefined;
}

const inflateSoon = promisify(inflate);

/** As Pillow inflates: a stream that breaks off gives what there is of it. */
async function inflated(bytes: Buffer): Promise<Buffer | undefined> {
  try {
    return await inflateSoon(bytes, {
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: maxTextBytes,
    });
  } catch {
    // Damaged or too long: nothing is noted.
    return undefined;
  }
}

/** ImageMagick's form: an empty line, a name and a length, then the bytes in hexadecimal. */
function rawProfile(text: Buffer | undefined): Buffer | undefined {
  if (text === undefined) return undefined;
  let start = 0;
  for (let line = 0; line < 3; line++) {
    start = text.indexOf('\n', start) + 1;
    if (start === 0) return undefined;
  }
  const digits = text.toString('latin1', start, start + maxProfileText).replace(/\s+/g, '');
  return Buffer.from(digits, 'hex');
}
