/**
 * Reads the first directory of a TIFF structure, which a TIFF file and an EXIF block both are, as Pillow 12.3 reads it
 * (TiffImagePlugin.ImageFileDirectory_v2.load): a tag of an unknown type is skipped, the last of equal tags counts,
 * and the first value that lies beyond the end hides every later tag.
 */
export class TiffDirectory {
  readonly #file: DataView;
  readonly #littleEndian: boolean;
  readonly #isBig: boolean;
  readonly #entries = new Map<number, Entry>();

  private constructor(file: DataView, byteOrder: string, isBig: boolean) {
    this.#file = file;
    this.#littleEndian = byteOrder === 'II';
    this.#isBig = isBig;
  }

  /** Undefined for what is not a TIFF structure. Keeps only the tags in `wanted`. */
  static read(bytes: Uint8Array, wanted: readonly number[]): TiffDirectory | undefined {
    const magic = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1', 0, 4);
    if (!magics.has(magic) || bytes.byteLength < 8) return undefined;
    const file = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    // BigTIFF goes on with the width of its offsets. Pillow reads big-endian EXIF that does not as a classic TIFF.
    const isBig = magic === 'II+\0' || (magic === 'MM\0+' && file.getUint32(4) === 0x00080000);
    if (isBig && bytes.byteLength < 16) return undefined;
    const directory = new TiffDirectory(file, magic.slice(0, 2), isBig);
    directory.#readEntries(wanted);
    return directory;
  }

  has(tag: number): boolean {
    return this.#entries.has(tag);
  }

  /** The tag's first value; undefined if it is absent or not a number. BYTE counts as bytes, as in Pillow. */
  number(tag: number): number | undefined {
    const entry = this.#entries.get(tag);
    if (entry === undefined) return undefined;
    const [at, little] = [entry.at, this.#littleEndian];
    const view = this.#file;
    switch (entry.type) {
      case types.short:
        return view.getUint16(at, little);
      case types.long:
      case types.ifd:
        return view.getUint32(at, little);
      case types.rational:
        return view.getUint32(at, little) / view.getUint32(at + 4, little);
      case types.signedByte:
        return view.getInt8(at);
      case types.signedShort:
        return view.getInt16(at, little);
      case types.signedLong:
        return view.getInt32(at, little);
      case types.signedRational:
        return view.getInt32(at, little) / view.getInt32(at + 4, little);
      case types.float:
        return view.getFloat32(at, little);
      case types.double:
        return view.getFloat64(at, little);
      case types.long8:
        return Number(view.getBigUint64(at, little));
      default:
        return undefined;
    }
  }

  /** The tag's bytes; undefined if it is absent or neither BYTE nor UNDEFINED. */
  bytes(tag: number): Uint8Array | undefined {
    const entry = this.#entries.get(tag);
    if (entry === undefined || (entry.type !== types.byte && entry.type !== types.undefined))
      return undefined;
    return new Uint8Array(this.#file.buffer, this.#file.byteOffset + entry.at, entry.sizeBytes);
  }

  /** A copy of the structure in which the tag, which it must have, is the one SHORT `value`. */
  withShort(tag: number, value: number): Buffer {
    const { buffer, byteOffset, byteLength } = this.#file;
    const copy = Buffer.from(new Uint8Array(buffer, byteOffset, byteLength));
    const view = new DataView(copy.buffer, copy.byteOffset, copy.byteLength);
    const { start } = this.#entries.get(tag)!;
    view.setUint16(start + 2, types.short, this.#littleEndian);
    if (this.#isBig) view.setBigUint64(start + 4, 1n, this.#littleEndian);
    else view.setUint32(start + 4, 1, this.#littleEndian);
    view.setUint16(start + (this.#isBig ? 12 : 8), value, this.#littleEndian);
    return copy;
  }

  #readEntries(wanted: readonly number[]): void {
    const file = this.#file;
    const countBytes = this.#isBig ? 8 : 2;
    const start = this.#offset(this.#isBig ? 8 : 4);
    if (start + countBytes > file.byteLength) return;
    const count = this.#isBig ? this.#offset(start) : file.getUint16(start, this.#littleEndian);
    const entryBytes = this.#isBig ? 20 : 12;
    let at = start + countBytes;
    for (let i = 0; i < Math.min(count, maxEntries) && at + entryBytes <= file.byteLength; i++) {
      const entry = this.#entryAt(at);
      if (entry !== undefined && entry.at + entry.sizeBytes > file.byteLength) return;
      const tag = file.getUint16(at, this.#littleEndian);
      if (entry !== undefined && entry.sizeBytes > 0 && wanted.includes(tag)) this.#entries.set(tag, entry);
      at += entryBytes;
    }
  }

  /** Undefined for a type that Pillow does not read. */
  #entryAt(at: number): Entry | undefined {
    const type = this.#file.getUint16(at + 2, this.#littleEndian);
    const unitBytes = unitSizes[type];
    if (unitBytes === undefined) return undefined;
    const sizeBytes = this.#offset(at + 4) * unitBytes;
    const [valueAt, inlineBytes] = this.#isBig ? [at + 12, 8] : [at + 8, 4];
    return { start: at, type, sizeBytes, at: sizeBytes > inlineBytes ? this.#offset(valueAt) : valueAt };
  }

  /** A count or an offset, as wide as the kind of TIFF has it. */
  #offset(at: number): number {
    return this.#isBig
      ? Number(this.#file.getBigUint64(at, this.#littleEndian))
      : this.#file.getUint32(at, this.#littleEndian);
  }
}

interface Entry {
  readonly start: number;
  readonly type: number;
  readonly sizeBytes: number;
  /** Offset of the first value. */
  readonly at: number;
}

/** TIFF and BigTIFF in both byte orders, and two wrong spellings that Pillow accepts. */
const magics = new Set(['II*\0', 'MM\0*', 'II\0*', 'MM*\0', 'II+\0', 'MM\0+']);

/** Bounds the work on the calling thread. A directory has some twenty entries. */
const maxEntries = 4096;

const types = {
  byte: 1,
  short: 3,
  long: 4,
  rational: 5,
  signedByte: 6,
  undefined: 7,
  signedShort: 8,
  signedLong: 9,
  signedRational: 10,
  float: 11,
  double: 12,
  ifd: 13,
  long8: 16,
} as const;

/** Bytes of one value, by type. */
const unitSizes: Readonly<Record<number, number>> = {
  [types.byte]: 1,
  2: 1,
  [types.short]: 2,
  [types.long]: 4,
  [types.rational]: 8,
  [types.signedByte]: 1,
  [types.undefined]: 1,
  [types.signedShort]: 2,
  [types.signedLong]: 4,
  [types.signedRational]: 8,
  [types.float]: 4,
  [types.double]: 8,
  [types.ifd]: 4,
  [types.long8]: 8,
};
