import { below, pick, type Random, several } from './random.ts';

/** What parsers stumble over: lengths and sides of nothing, of everything, and of a little more. */
export const oddNumbers: readonly number[] = [
  0, 1, 2, 0x7f, 0x80, 0xff, 0x100, 0x3fff, 0x4000, 0x7fff, 0x8000, 0xffff, 0x10000, 0xffffff, 0x7fffffff,
  0x80000000, 0xfffffffe, 0xffffffff,
];

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
  function remove(bytes, random) {
    const from = below(random, bytes.byteLength);
    return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + 1 + below(random, 64))]);
  },
  function insert(bytes, random) {
    const at = below(random, bytes.byteLength);
    const junk = Buffer.from(several(1 + below(random, 64), () => below(random, 256)));
    return Buffer.concat([bytes.subarray(0, at), junk, bytes.subarray(at)]);
  },
  function writeNumber(bytes, random) {
    if (bytes.byteLength < 4) return bytes;
    // Headers are at the front.
    const span = random() < 0.7 ? Math.min(bytes.byteLength, 64) : bytes.byteLength;
    const at = Math.min(below(random, span), bytes.byteLength - 4);
    if (random() < 0.5) bytes.writeUInt32BE(pick(random, oddNumbers), at);
    else bytes.writeUInt32LE(pick(random, oddNumbers), at);
    return bytes;
  },
  function append(bytes, random) {
    return Buffer.concat([bytes, Buffer.alloc(below(random, 4096), below(random, 256))]);
  },
];

/** A copy of the bytes, changed so often, whatever they are. */
export function mutateBytes(original: Uint8Array, random: Random, times: number): Buffer {
  let bytes = Buffer.from(original);
  for (let left = times; left > 0 && bytes.byteLength > 0; left--) {
    bytes = Buffer.from(pick(random, mutations)(bytes, random));
  }
  return bytes;
}

/** A changed copy of the bytes; one in ten is left as it is. */
export function mutate(original: Uint8Array, random: Random): Buffer {
  const times = random() < 0.1 ? 0 : 1 + below(random, 3);
  return mutateBytes(original, random, times);
}
