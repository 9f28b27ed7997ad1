/** A number that a file holds in so many bytes. */
export interface NumberField {
  readonly at: number;
  readonly size: 1 | 2 | 3 | 4;
  readonly order: 'BE' | 'LE';
}

/** A part of a file that its format knows: a chunk, segment, block, entry or box. */
export interface Chunk {
  readonly start: number;
  readonly end: number;
  /** Where its length is written. */
  readonly length?: NumberField;
}

/** What there is to break in a file beside its bytes. */
export interface Layout {
  readonly chunks: readonly Chunk[];
  /** Widths and heights, as the headers have them. */
  readonly sides: readonly NumberField[];
}

const nothing: Layout = { chunks: [], sides: [] };

/** The parts of a file that is as it should be; none of what is not known. */
export function layoutOf(file: Buffer): Layout {
  const head = file.subarray(0, 12).toString('latin1');
  if (head.startsWith('\x89PNG')) return png(file);
  if (head.startsWith('\xff\xd8')) return jpeg(file);
  if (head.startsWith('RIFF')) return webp(file);
  if (head.startsWith('GIF8')) return gif(file);
  if (head.startsWith('II*\0')) return tiff(file, 'LE');
  if (head.startsWith('MM\0*')) return tiff(file, 'BE');
  if (head.startsWith('ftyp', 4)) return isoMedia(file);
  return nothing;
}

/** Reads the number of a field. */
export function readField(file: Buffer, { at, size, order }: NumberField): number {
  return order === 'BE' ? file.readUIntBE(at, size) : file.readUIntLE(at, size);
}

/** Writes what of the value the field has room for. */
export function writeField(file: Buffer, { at, size, order }: NumberField, value: number): void {
  const held = value % 2 ** (8 * size);
  if (order === 'BE') file.writeUIntBE(held, at, size);
  else file.writeUIntLE(held, at, size);
}

function field(at: number, size: NumberField['size'], order: NumberField['order']): NumberField {
  return { at, size, order };
}

function png(file: Buffer): Layout {
  const chunks: Chunk[] = [];
  for (let at = 8; at + 12 <= file.byteLength; ) {
    const end = at + 12 + file.readUInt32BE(at);
    chunks.push({ start: at, end, length: field(at, 4, 'BE') });
    at = end;
  }
  return { chunks, sides: [field(16, 4, 'BE'), field(20, 4, 'BE')] };
}

function jpeg(file: Buffer): Layout {
  const chunks: Chunk[] = [];
  const sides: NumberField[] = [];
  for (let at = 2; at + 4 <= file.byteLength && file[at] === 0xff; ) {
    const marker = file[at + 1]!;
    const end = at + 2 + file.readUInt16BE(at + 2);
    chunks.push({ start: at, end, length: field(at + 2, 2, 'BE') });
    const isFrame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
    if (isFrame) sides.push(field(at + 5, 2, 'BE'), field(at + 7, 2, 'BE'));
    // The scan's bytes follow it.
    if (marker === 0xda) break;
    at = end;
  }
  return { chunks, sides };
}

function webp(file: Buffer): Layout {
  const chunks: Chunk[] = [];
  const sides: NumberField[] = [];
  for (let at = 12; at + 8 <= file.byteLength; ) {
    const sizeBytes = file.readUInt32LE(at + 4);
    const end = at + 8 + sizeBytes + (sizeBytes % 2);
    chunks.push({ start: at, end, length: field(at + 4, 4, 'LE') });
    const name = file.toString('latin1', at, at + 4);
    if (name === 'VP8 ') sides.push(field(at + 14, 2, 'LE'), field(at + 16, 2, 'LE'));
    if (name === 'VP8L') sides.push(field(at + 9, 4, 'LE'));
    if (name === 'VP8X') sides.push(field(at + 12, 3, 'LE'), field(at + 15, 3, 'LE'));
    if (name === 'ANMF') sides.push(field(at + 14, 3, 'LE'), field(at + 17, 3, 'LE'));
    at = end;
  }
  return { chunks, sides };
}

function gif(file: Buffer): Layout {
  const chunks: Chunk[] = [];
  const sides = [field(6, 2, 'LE'), field(8, 2, 'LE')];
  const tableBytes = (flags: number): number => ((flags & 0x80) === 0 ? 0 : 3 * 2 ** ((flags & 7) + 1));
  const afterBlocks = (from: number): number => {
    let at = from;
    while (at < file.byteLength && file[at] !== 0) at += 1 + file[at]!;
    return at + 1;
  };
  for (let at = 13 + tableBytes(file[10]!); at + 10 < file.byteLength && file[at] !== 0x3b; ) {
    const isImage = file[at] === 0x2c;
    if (isImage) sides.push(field(at + 5, 2, 'LE'), field(at + 7, 2, 'LE'));
    const blocks = isImage ? at + 11 + tableBytes(file[at + 9]!) : at + 2;
    const end = Math.min(file.byteLength, afterBlocks(blocks));
    chunks.push({ start: at, end, length: field(blocks, 1, 'LE') });
    at = end;
  }
  return { chunks, sides };
}

/** The entries of the first directory, whose counts stand for their lengths. */
function tiff(file: Buffer, order: 'BE' | 'LE'): Layout {
  const directory = readField(file, field(4, 4, order));
  const entries = readField(file, field(directory, 2, order));
  const chunks: Chunk[] = [];
  const sides: NumberField[] = [];
  for (let entry = 0; entry < entries; entry++) {
    const start = directory + 2 + 12 * entry;
    chunks.push({ start, end: start + 12, length: field(start + 4, 4, order) });
    const tag = readField(file, field(start, 2, order));
    const isShort = readField(file, field(start + 2, 2, order)) === 3;
    // ImageWidth, ImageLength, BitsPerSample, SamplesPerPixel, RowsPerStrip, TileWidth, TileLength.
    if ([256, 257, 258, 277, 278, 322, 323].includes(tag))
      sides.push(field(start + 8, isShort ? 2 : 4, order));
  }
  return { chunks, sides };
}

const boxesOfBoxes: Readonly<Record<string, number>> = { meta: 12, iprp: 8, ipco: 8, iref: 12, dinf: 8 };

function isoMedia(file: Buffer): Layout {
  const chunks: Chunk[] = [];
  const sides: NumberField[] = [];
  const walk = (from: number, to: number): void => {
    for (let at = from; at + 8 <= to; ) {
      const sizeBytes = file.readUInt32BE(at);
      if (sizeBytes < 8) return;
      const end = Math.min(to, at + sizeBytes);
      const name = file.toString('latin1', at + 4, at + 8);
      chunks.push({ start: at, end, length: field(at, 4, 'BE') });
      if (name === 'ispe') sides.push(field(at + 12, 4, 'BE'), field(at + 16, 4, 'BE'));
      const inside = boxesOfBoxes[name];
      if (inside !== undefined) walk(at + inside, end);
      at = end;
    }
  };
  walk(0, file.byteLength);
  return { chunks, sides };
}
