// Files that are odd where orientations are noted: their metadata is drawn at random, part by part, and damaged now and
// then. The pictures are sound, so that Pillow opens most of them.
import { crc32, deflateSync } from 'node:zlib';
import fc from 'fast-check';
import sharp from 'sharp';

const raw = { raw: { width: 3, height: 2, channels: 3 } } as const;
const pixels = Uint8Array.from({ length: 18 }, (_, i) => i * 14);
const jpeg = await sharp(pixels, raw).jpeg({ chromaSubsampling: '4:4:4' }).toBuffer();
const png = await sharp(pixels, raw).png().toBuffer();
const webp = await sharp(pixels, raw).webp({ lossless: true }).toBuffer();

const jfif = Buffer.from('ffe000104a46494600010100000100010000', 'hex');

const latin1 = (text: string): Buffer => Buffer.from(text, 'latin1');

function number(value: number, bytes: 1 | 2 | 4, order: 'II' | 'MM'): Buffer {
  const buffer = Buffer.alloc(4);
  if (order === 'II') buffer.writeUInt32LE(value);
  else buffer.writeUInt32BE(value * 2 ** (32 - 8 * bytes));
  return buffer.subarray(0, bytes);
}

const orientation = fc.oneof({ weight: 6, arbitrary: fc.integer({ min: 1, max: 8 }) }, fc.nat(0xffff));
const order = fc.constantFrom('II', 'MM');

interface Entry {
  readonly tag: number;
  readonly type: number;
  readonly count: number;
  readonly value: number;
}

const entry: fc.Arbitrary<Entry> = fc.record({
  tag: fc.oneof(
    { weight: 3, arbitrary: fc.constant(0x112) },
    fc.constantFrom(0x10f, 0x110, 0x11a, 0x8769),
    fc.nat(0xffff),
  ),
  type: fc.oneof({ weight: 3, arbitrary: fc.constant(3) }, fc.nat(18)),
  count: fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, fc.nat(9), fc.nat(0x7fffffff)),
  value: fc.oneof({ weight: 4, arbitrary: orientation }, fc.nat(200), fc.nat(0x7fffffff)),
});

function exifBlock(
  byteOrder: 'II' | 'MM',
  magic: number,
  offset: number,
  entries: readonly Entry[],
  claimed: number,
): Buffer {
  const written = entries.map(({ tag, type, count, value }) =>
    Buffer.concat([
      number(tag, 2, byteOrder),
      number(type, 2, byteOrder),
      number(count, 4, byteOrder),
      // One SHORT lies at the start of its four bytes.
      ...(type === 3 && count === 1
        ? [number(value & 0xffff, 2, byteOrder), Buffer.alloc(2)]
        : [number(value, 4, byteOrder)]),
    ]),
  );
  return Buffer.concat([
    latin1(byteOrder),
    number(magic, 2, byteOrder),
    number(offset, 4, byteOrder),
    Buffer.alloc(Math.max(offset - 8, 0) % 64),
    number(entries.length + claimed, 2, byteOrder),
    ...written,
    Buffer.alloc(60),
  ]);
}

/** Bytes of which some were changed, or cut off. */
function damaged(bytes: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> {
  const changes = fc.array(fc.tuple(fc.nat(5000), fc.nat(255)), { minLength: 1, maxLength: 3 });
  return fc.oneof(
    { weight: 6, arbitrary: bytes },
    fc.tuple(bytes, changes).map(([sound, list]) => {
      const copy = Buffer.from(sound);
      for (const [at, value] of list) if (copy.length > 0) copy[at % copy.length] = value;
      return copy;
    }),
    fc.tuple(bytes, fc.nat(5000)).map(([sound, length]) => sound.subarray(0, length % (sound.length + 1))),
  );
}

const exif = damaged(
  fc
    .tuple(
      fc.nat(2),
      order,
      fc.oneof({ weight: 8, arbitrary: fc.constant(42) }, fc.constantFrom(43, 0x2a00, 7)),
      fc.oneof({ weight: 6, arbitrary: fc.constant(8) }, fc.integer({ min: 0, max: 90 })),
      fc.array(entry, { maxLength: 5 }),
      fc.oneof({ weight: 8, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: 60_000 })),
    )
    .map(([prefixes, byteOrder, magic, offset, entries, claimed]) =>
      Buffer.concat([
        latin1('Exif\0\0'.repeat(prefixes)),
        exifBlock(byteOrder, magic, offset, entries, claimed),
      ]),
    ),
);

const xmp = damaged(
  fc
    .array(
      fc.oneof(
        { weight: 2, arbitrary: fc.nat(9).map((value) => ` tiff:Orientation="${value}"`) },
        fc.nat(9).map((value) => `<tiff:Orientation>${value}</tiff:Orientation>`),
        fc.nat(9).map((value) => ` tiff:Orientation='${value}'`),
        fc.constantFrom('tiff:Orientation', ' exif:Orientation="6"', '<x:xmpmeta>', '\xff', '\0'),
      ),
      { maxLength: 6 },
    )
    .map((parts) => latin1(parts.join(''))),
);

const jpegSegment = fc
  .oneof(
    exif.map((block) => [0xe1, 'Exif\0\0', block] as const),
    xmp.map((text) => [0xe1, 'http://ns.adobe.com/xap/1.0/\0', text] as const),
    exif.map((block) => [0xe1, 'Exif\0x', block] as const),
    fc
      .tuple(fc.constantFrom(0xe2, 0xed, 0xfe, 0xe1), fc.uint8Array({ maxLength: 20 }))
      .map(([marker, bytes]) => [marker, '', Buffer.from(bytes)] as const),
  )
  .map(([marker, start, content]) =>
    Buffer.concat([
      Buffer.from([0xff, marker]),
      number(2 + start.length + content.length, 2, 'MM'),
      latin1(start),
      content,
    ]),
  );

const jpegFile = fc
  .tuple(
    fc.array(fc.oneof({ weight: 9, arbitrary: jpegSegment }, fc.constant(Buffer.from([0xff]))), {
      maxLength: 4,
    }),
    fc.boolean(),
  )
  .map(([segments, isJfif]) =>
    Buffer.concat([jpeg.subarray(0, 2), ...(isJfif ? [jfif] : []), ...segments, jpeg.subarray(2)]),
  );

function chunk(type: string, content: Uint8Array): Buffer {
  const body = Buffer.concat([latin1(type), content]);
  return Buffer.concat([number(content.length, 4, 'MM'), body, number(crc32(body), 4, 'MM')]);
}

function textChunk(type: string, name: string, content: Buffer): Buffer {
  const zipped = deflateSync(content);
  const after = {
    tEXt: [content],
    zTXt: [Buffer.from([0]), zipped],
    iTXt: [latin1('\0\0en\0name\0'), content],
    'iTXt zipped': [latin1('\x01\0\0\0'), zipped],
  }[type]!;
  return chunk(type.slice(0, 4), Buffer.concat([latin1(`${name}\0`), ...after]));
}

function profile(block: Buffer, width: number, line: string): Buffer {
  const digits = block.toString('hex').match(new RegExp(`.{1,${width}}`, 'g')) ?? [];
  return latin1(['', 'exif', `      ${block.length}`, ...digits, ''].join(line));
}

const textType = fc.constantFrom('tEXt', 'zTXt', 'iTXt', 'iTXt zipped');

const pngChunk = fc.oneof(
  exif.map((block) => chunk('eXIf', block)),
  fc
    .tuple(textType, exif, fc.integer({ min: 1, max: 80 }), fc.constantFrom('\n', '\n', '\r\n'))
    .map(([type, block, width, line]) =>
      textChunk(type, 'Raw profile type exif', profile(block, width, line)),
    ),
  fc.tuple(textType, xmp).map(([type, content]) => textChunk(type, 'XML:com.adobe.xmp', content)),
  exif.map((block) => textChunk('tEXt', 'exif', block)),
  fc
    .tuple(textType, exif)
    .map(([type, block]) => textChunk(type, 'Raw profile type APP1', profile(block, 72, '\n'))),
  damaged(exif.map((block) => deflateSync(profile(block, 72, '\n')))).map((zipped) =>
    chunk('zTXt', Buffer.concat([latin1('Raw profile type exif\0\0'), zipped])),
  ),
  fc.uint8Array({ maxLength: 20 }).map((bytes) => chunk('prVt', bytes)),
);

const pngPixels = png.indexOf('IDAT') - 4;
const pngEnd = png.indexOf('IEND') - 4;
const pngFile = fc
  .tuple(fc.array(pngChunk, { maxLength: 3 }), fc.array(pngChunk, { maxLength: 2 }))
  .map(([before, after]) =>
    Buffer.concat([
      png.subarray(0, pngPixels),
      ...before,
      png.subarray(pngPixels, pngEnd),
      ...after,
      png.subarray(pngEnd),
    ]),
  );

function riffChunk(type: string, content: Buffer): Buffer {
  return Buffer.concat([
    latin1(type),
    number(content.length, 4, 'II'),
    content,
    Buffer.alloc(content.length & 1),
  ]);
}

const webpFile = fc
  .tuple(
    fc.constantFrom(0, 4, 8, 12),
    fc.array(
      fc.oneof(
        exif.map((block) => riffChunk('EXIF', block)),
        xmp.map((content) => riffChunk('XMP ', content)),
        fc.uint8Array({ maxLength: 9 }).map((bytes) => riffChunk('ABCD', Buffer.from(bytes))),
      ),
      { maxLength: 4 },
    ),
  )
  .map(([flags, chunks]) => {
    const extended = riffChunk('VP8X', Buffer.from([flags, 0, 0, 0, 2, 0, 0, 1, 0, 0]));
    const body = Buffer.concat([latin1('WEBP'), extended, webp.subarray(12), ...chunks]);
    return Buffer.concat([latin1('RIFF'), number(body.length, 4, 'II'), body]);
  });

/** A TIFF whose directory has the entries of a picture and odd ones. */
const tiffFile = fc
  .tuple(order, fc.uniqueArray(entry, { maxLength: 4, selector: ({ tag }) => tag }), xmp)
  .map(([byteOrder, odd, content]) => {
    const file = (entries: readonly Entry[]) => exifBlock(byteOrder, 42, 8, entries, 0);
    const basic = (at: number, xmpAt: number): Entry[] =>
      [
        { tag: 256, type: 3, count: 1, value: 3 },
        { tag: 257, type: 3, count: 1, value: 2 },
        { tag: 258, type: 3, count: 1, value: 8 },
        { tag: 259, type: 3, count: 1, value: 1 },
        { tag: 262, type: 3, count: 1, value: 1 },
        { tag: 273, type: 4, count: 1, value: at },
        { tag: 278, type: 3, count: 1, value: 2 },
        { tag: 279, type: 4, count: 1, value: 6 },
        ...(content.length > 4 ? [{ tag: 700, type: 1, count: content.length, value: xmpAt }] : []),
        ...odd.filter(({ tag }) => tag === 0x112 || tag > 700),
      ].toSorted((a, b) => a.tag - b.tag);
    const { length } = file(basic(0, 0));
    return Buffer.concat([file(basic(length, length + 6)), pixels.subarray(0, 6), content]);
  });

/** Files of all formats that note orientations, by their format. */
export const oddFiles = { jpeg: jpegFile, png: pngFile, webp: webpFile, tiff: tiffFile } as const;
