import { crc32 } from 'node:zlib';
import { type Layout, layoutOf, writeField } from './layout.ts';
import { mutate, mutateBytes, oddNumbers } from './mutate.ts';
import { below, pick, pickWeighted, type Random } from './random.ts';

type ImageMutation = (file: Buffer, layout: Layout, random: Random, other: Buffer) => Buffer;

/** Changes that keep a file looking like what it was, so that they come past the first look at it. */
const mutations: readonly (readonly [weight: number, mutation: ImageMutation])[] = [
  [3, oddSide],
  [3, oddLength],
  [2, changeInside],
  [1, repeatChunk],
  [1, dropChunk],
  [1, swapChunks],
  [1, zeroChunk],
  [1, chunkOfOther],
  [1, splice],
  [
    1,
    (file, _layout, random) => Buffer.concat([file, Buffer.alloc(below(random, 65_536), below(random, 256))]),
  ],
];

/** A changed copy of a picture: by its format's parts, by its bytes, or both. `other` lends what is spliced in. */
export function mutateImage(file: Buffer, other: Buffer, random: Random): Buffer {
  if (random() < 0.35) return mutate(file, random);
  if (file.toString('latin1', 1, 6) === 'NUMPY') return oddArray(file, random);
  const change = pickWeighted(random, mutations);
  const changed = Buffer.from(change(Buffer.from(file), layoutOf(file), random, other));
  const mutated = mutateBytes(changed, random, random() < 0.3 ? 1 : 0);
  // Otherwise a PNG's checksums would keep everything else from being looked at.
  return random() < 0.8 ? withChecksums(mutated) : mutated;
}

/** Sides of no pixels, of more than there can be, and of a few too many to be alone in memory. */
function oddSide(file: Buffer, { sides }: Layout, random: Random): Buffer {
  for (const side of sides) {
    const value = pick(random, [...oddNumbers, 3, 1000, 5000, 12_000, 30_000]);
    if (random() < 0.6) writeField(file, side, value);
  }
  return file;
}

function oddLength(file: Buffer, { chunks }: Layout, random: Random): Buffer {
  const { length } = pickOr(random, chunks);
  if (length !== undefined) writeField(file, length, pick(random, oddNumbers));
  return file;
}

function changeInside(file: Buffer, { chunks }: Layout, random: Random): Buffer {
  const { start, end } = pickOr(random, chunks);
  for (let flips = 1 + below(random, 4); flips > 0; flips--) {
    // Behind the name and length.
    const at = Math.min(end - 1, start + 8 + below(random, Math.max(1, end - start - 8)));
    if (at >= 0 && at < file.byteLength)
      file[at] = pick(random, [0, 1, 0x7f, 0x80, 0xff, below(random, 256)]);
  }
  return file;
}

function repeatChunk(file: Buffer, { chunks }: Layout, random: Random): Buffer {
  const { start, end } = pickOr(random, chunks);
  const piece = file.subarray(start, end);
  const times = Math.min(pick(random, [1, 2, 20, 300]), Math.ceil(300_000 / Math.max(1, piece.byteLength)));
  const copies = Array.from({ length: times }, () => piece);
  return Buffer.concat([file.subarray(0, end), ...copies, file.subarray(end)]);
}

function dropChunk(file: Buffer, { chunks }: Layout, random: Random): Buffer {
  const { start, end } = pickOr(random, chunks);
  return Buffer.concat([file.subarray(0, start), file.subarray(end)]);
}

function swapChunks(file: Buffer, { chunks }: Layout, random: Random): Buffer {
  const [first, second] = [pickOr(random, chunks), pickOr(random, chunks)].toSorted(
    (a, b) => a.start - b.start,
  );
  if (first === undefined || second === undefined || first.end > second.start) return file;
  const piece = ({ start, end }: { start: number; end: number }) => file.subarray(start, end);
  return Buffer.concat([
    file.subarray(0, first.start),
    piece(second),
    file.subarray(first.end, second.start),
    piece(first),
    file.subarray(second.end),
  ]);
}

function zeroChunk(file: Buffer, { chunks }: Layout, random: Random): Buffer {
  const { start, end } = pickOr(random, chunks);
  return file.fill(0, Math.min(start + 8, end), end);
}

/** A part of another file, at the place of one of this. */
function chunkOfOther(file: Buffer, { chunks }: Layout, random: Random, other: Buffer): Buffer {
  const [mine, theirs] = [pickOr(random, chunks), pickOr(random, layoutOf(other).chunks)];
  return Buffer.concat([
    file.subarray(0, mine.start),
    other.subarray(theirs.start, theirs.end),
    file.subarray(random() < 0.5 ? mine.start : mine.end),
  ]);
}

/** The front of one file and the back of another. */
function splice(file: Buffer, _layout: Layout, random: Random, other: Buffer): Buffer {
  const front = file.subarray(0, below(random, file.byteLength));
  return Buffer.concat([front, other.subarray(below(random, other.byteLength))]);
}

function pickOr(random: Random, chunks: Layout['chunks']): Layout['chunks'][number] {
  return chunks.length === 0 ? { start: 0, end: 0 } : pick(random, chunks);
}

/** An array that says something else of itself than it holds. */
function oddArray(file: Buffer, random: Random): Buffer {
  const shapes = [
    '(0, 0, 3)',
    '(1, 1, 3)',
    '(40, 48, 4)',
    '(-1, 48, 3)',
    '(4294967296, 1, 3)',
    '(1, 40, 48, 3)',
  ];
  const more = ['(999999999999999999999, 3, 3)', '()', '(3,)', '(17, 1, 1, 3)', '(40, 48, 3', '(40., 48, 3)'];
  const types = ['|u1', '<u1', '|i1', '<f4', '>u2', '|O', '<U9', '', '|u1 '];
  const order = pick(random, ['False', 'True', 'None', '0']);
  const text = `{'descr': '${pick(random, types)}', 'fortran_order': ${order}, 'shape': ${pick(random, [...shapes, ...more])}, }`;
  const version = pick(random, [1, 1, 1, 2, 3, 0, 255]);
  const header = Buffer.from(random() < 0.8 ? text : text.replace('descr', '__proto__'));
  const prefix = Buffer.alloc(version === 1 ? 10 : 12);
  prefix.write('\x93NUMPY', 'latin1');
  prefix[6] = version;
  const said = random() < 0.8 ? header.byteLength : pick(random, oddNumbers);
  if (version === 1) prefix.writeUInt16LE(said % 65_536, 8);
  else prefix.writeUInt32LE(said, 8);
  const pixels = file.subarray(128);
  return mutateBytes(Buffer.concat([prefix, header, pixels]), random, random() < 0.2 ? 1 : 0);
}

/** The same file, with every checksum of a PNG made right again. */
function withChecksums(file: Buffer): Buffer {
  if (file.toString('latin1', 1, 4) !== 'PNG') return file;
  for (let at = 8; at + 12 <= file.byteLength; ) {
    const end = at + 8 + file.readUInt32BE(at);
    if (end + 4 > file.byteLength) break;
    file.writeUInt32BE(crc32(file.subarray(at + 4, end)), end);
    at = end + 4;
  }
  return file;
}
