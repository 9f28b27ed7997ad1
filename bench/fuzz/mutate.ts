/** Numbers in [0, 1). */
export type Random = () => number;

/** A whole number from 0 to `count` - 1. */
export function below(random: Random, count: number): number {
  return Math.floor(random() * count);
}

export function pick<T>(random: Random, values: readonly T[]): T {
  return values[below(random, values.length)]!;
}

/** What parsers stumble over: lengths and sides of nothing, of everything, and of a little more. */
const numbers = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff];

type Mutation = (bytes: Buffer, random: Random) => Buffer;

const mutations: readonly Mutation[] = [
  function flipBits(bytes, random) {
    for (let flips = 1 + below(random, 16); flips > 0; flips--) {
      const at = below(random, bytes.byteLength);
      bytes[at] = bytes[at]! ^ (1 << below(random, 8));
    }
    return bytes;
  },
  function cut(bytes, random) {
    return bytes.subarray(0, below(random, bytes.byteLength));
  },
  function cutFront(bytes, random) {
    return bytes.subarray(below(random, bytes.byteLength));
  },
  function blank(bytes, random) {
    const from = below(random, bytes.byteLength);
    return bytes.fill(pick(random, [0, 0xff]), from, Math.min(bytes.byteLength, from + below(random, 64)));
  },
  function double(bytes, random) {
    const from = below(random, bytes.byteLength);
    const piece = bytes.subarray(from, from + below(random, 512));
    return Buffer.concat([bytes.subarray(0, from), piece, piece, bytes.subarray(from)]);
  },
  function insert(bytes, random) {
    const at = below(random, bytes.byteLength);
    const junk = Buffer.from(Array.from({ length: 1 + below(random, 64) }, () => below(random, 256)));
    return Buffer.concat([bytes.subarray(0, at), junk, bytes.subarray(at)]);
  },
  function writeNumber(bytes, random) {
    if (bytes.byteLength < 4) return bytes;
    // Headers are at the front.
    const span = random() < 0.7 ? Math.min(bytes.byteLength, 64) : bytes.byteLength;
    const at = Math.min(below(random, span), bytes.byteLength - 4);
    if (random() < 0.5) bytes.writeUInt32BE(pick(random, numbers), at);
    else bytes.writeUInt32LE(pick(random, numbers), at);
    return bytes;
  },
  function append(bytes, random) {
    return Buffer.concat([bytes, Buffer.alloc(below(random, 4096), below(random, 256))]);
  },
];

/** A changed copy of the bytes; one in ten is left as it is. */
export function mutate(original: Uint8Array, random: Random): Buffer {
  let bytes = Buffer.from(original);
  if (random() < 0.1) return bytes;
  for (let times = 1 + below(random, 3); times > 0 && bytes.byteLength > 0; times--) {
    bytes = Buffer.from(pick(random, mutations)(bytes, random));
  }
  return bytes;
}

/** Texts that options, names and headers may hold. */
const texts = [
  '',
  '0',
  '-1',
  '1e999',
  'NaN',
  '00512',
  '512,1024',
  '512,512',
  ','.repeat(3000),
  '9'.repeat(400),
  'x'.repeat(9000),
  '__proto__',
  'constructor',
  '../../etc/passwd',
  '\u0000',
  '\r\nx: y',
  '\ud800',
  '\u{1f600}'.repeat(50),
  '%00',
  '{}',
  'null',
  'sha256:',
  `sha256:${'a'.repeat(64)}`,
  '3x3',
  '0x0',
  '999999x999999',
  'average',
  'half_overlap',
  'float32',
  'bfloat16',
  'unshuffle_concat',
];

export function anyText(random: Random): string {
  return random() < 0.8
    ? pick(random, texts)
    : Array.from({ length: below(random, 40) }, () => String.fromCharCode(below(random, 0x300))).join('');
}
