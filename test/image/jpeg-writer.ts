// Writes sequential JPEGs of random coefficients: any sampling, size, restart interval, Huffman and factor tables, and
// coefficients far beyond those of pictures.
import fc from 'fast-check';

export interface RandomJpeg {
  readonly width: number;
  readonly height: number;
  /** Undefined for grey; else how many samples of luma there are across and down for one of chroma. */
  readonly sampling: readonly [across: number, down: number] | undefined;
  /** In MCUs; 0 for none. */
  readonly restartInterval: number;
  /** Of the coefficients, how many are not 0; and the bits of the largest ones, 1 to 10. */
  readonly density: number;
  readonly mostBits: number;
  /** The factors are 1 to this, at most 255. */
  readonly mostFactor: number;
  /** Whether codes are up to 16 bits long, rather than 4 and 8. */
  readonly hasLongCodes: boolean;
  readonly colours: 'JFIF' | 'Adobe' | 'none';
  readonly seed: number;
}

export const plainJpeg: RandomJpeg = {
  width: 37,
  height: 21,
  sampling: [1, 1],
  restartInterval: 0,
  density: 0.1,
  mostBits: 3,
  mostFactor: 20,
  hasLongCodes: false,
  colours: 'JFIF',
  seed: 1,
};

const side = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 90 }));
const pictureSize = fc.oneof(
  { weight: 18, arbitrary: fc.record({ width: side, height: side }) },
  // Several batches of 16 MCUs in a row and several strips of 64 KB, of many rows or of a few.
  fc.record({ width: fc.integer({ min: 300, max: 700 }), height: fc.integer({ min: 80, max: 130 }) }),
  fc.record({ width: fc.integer({ min: 2000, max: 3000 }), height: fc.integer({ min: 20, max: 40 }) }),
);

/** Any, but for chroma of one or two columns, which libjpeg-turbo does not interpolate. */
export const randomJpeg: fc.Arbitrary<RandomJpeg> = fc
  .record({
    size: pictureSize,
    sampling: fc.constantFrom(undefined, [1, 1] as const, [2, 1] as const, [1, 2] as const, [2, 2] as const),
    restartInterval: fc.oneof(
      fc.constant(0),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 10, max: 60 }),
    ),
    density: fc.constantFrom(0, 0.01, 0.05, 0.3, 1),
    mostBits: fc.integer({ min: 1, max: 10 }),
    mostFactor: fc.constantFrom(1, 2, 16, 255),
    hasLongCodes: fc.boolean(),
    colours: fc.constantFrom('JFIF', 'Adobe', 'none'),
    seed: fc.nat(),
  })
  .map(({ size, ...jpeg }) => Object.assign(jpeg, size))
  .filter(({ width, sampling }) => width > 4 || sampling?.[0] !== 2);

export function writeJpeg(jpeg: RandomJpeg): Buffer {
  const random = randomFrom(jpeg.seed);
  const { width, height, sampling, restartInterval } = jpeg;
  const [across, down] = sampling ?? [1, 1];
  const ids = sampling === undefined ? [1] : [1, 2, 3];
  const tables = [0, 1].map(() => ({
    dc: huffman(
      shuffled(
        Array.from({ length: 12 }, (_, size) => size),
        random,
      ),
      jpeg.hasLongCodes ? 1 : 4,
    ),
    ac: huffman(shuffled(acSymbols, random), jpeg.hasLongCodes ? 1 : 8),
  }));
  const factors = [0, 1].flatMap((id) =>
    Array.from({ length: 65 }, (_, index) => (index === 0 ? id : 1 + random(jpeg.mostFactor))),
  );
  const mcus = Math.ceil(width / (8 * across)) * Math.ceil(height / (8 * down));
  return Buffer.concat([
    Buffer.from([0xff, 0xd8]),
    jpeg.colours === 'JFIF' ? segment(0xe0, [...latin1('JFIF\0'), 1, 1, 0, 0, 1, 0, 1, 0, 0]) : Buffer.of(),
    jpeg.colours === 'Adobe' ? segment(0xee, [...latin1('Adobe'), 0, 100, 0, 0, 0, 0, 1]) : Buffer.of(),
    segment(0xdb, factors),
    segment(0xc0, [
      8,
      ...short(height),
      ...short(width),
      ids.length,
      ...ids.flatMap((id) => [id, id === 1 ? (across << 4) | down : 0x11, id === 1 ? 0 : 1]),
    ]),
    segment(
      0xc4,
      tables.flatMap(({ dc, ac }, id) => [id, ...dc.spec, 0x10 | id, ...ac.spec]),
    ),
    restartInterval === 0 ? Buffer.of() : segment(0xdd, short(restartInterval)),
    segment(0xda, [ids.length, ...ids.flatMap((id) => [id, id === 1 ? 0 : 0x11]), 0, 63, 0]),
    writeScan(),
    Buffer.from([0xff, 0xd9]),
  ]);

  function writeScan(): Buffer {
    const bits = new BitWriter();
    let previous = [0, 0, 0];
    for (let mcu = 0; mcu < mcus; mcu++) {
      if (restartInterval > 0 && mcu > 0 && mcu % restartInterval === 0) {
        bits.marker(0xd0 + ((mcu / restartInterval - 1) & 7));
        previous = [0, 0, 0];
      }
      for (const [component] of ids.entries()) {
        const { dc, ac } = tables[component === 0 ? 0 : 1]!;
        for (let block = 0; block < (component === 0 ? across * down : 1); block++) {
          const level = random(2 ** (jpeg.mostBits + 1)) - 2 ** jpeg.mostBits;
          writeValue(bits, dc, 0, level - previous[component]!);
          previous[component] = level;
          writeAc(bits, ac);
        }
      }
    }
    return bits.end();
  }

  function writeAc(bits: BitWriter, ac: Huffman): void {
    const largest = 2 ** jpeg.mostBits - 1;
    let zeros = 0;
    for (let k = 1; k < 64; k++) {
      const value = random(1000) < jpeg.density * 1000 ? random(2 * largest + 1) - largest : 0;
      if (value === 0) {
        zeros++;
        continue;
      }
      for (; zeros > 15; zeros -= 16) bits.write(...ac.codes.get(0xf0)!);
      writeValue(bits, ac, zeros, value);
      zeros = 0;
    }
    if (zeros > 0) bits.write(...ac.codes.get(0)!);
  }
}

interface Huffman {
  readonly spec: readonly number[];
  readonly codes: ReadonlyMap<number, readonly [code: number, length: number]>;
}

/** End of block, 16 zeros, and every run of zeros before a value of every size. */
const acSymbols = [
  0,
  0xf0,
  ...Array.from({ length: 160 }, (_, i) => ((i % 16) << 4) | (1 + Math.floor(i / 16))),
];

/** One code for each length from `shortest`, then as many as are left at the longest that makes sense. */
function huffman(symbols: readonly number[], shortest: number): Huffman {
  const counts = Array.from({ length: 16 }, () => 0);
  if (shortest > 1) counts[shortest - 1] = symbols.length;
  else {
    for (let length = 1; length <= 8; length++) counts[length - 1] = 1;
    counts[15] = symbols.length - 8;
  }
  const codes = new Map<number, [code: number, length: number]>();
  let code = 0;
  let next = 0;
  for (const [index, count] of counts.entries()) {
    for (let i = 0; i < count; i++) codes.set(symbols[next++]!, [code++, index + 1]);
    code <<= 1;
  }
  return { spec: [...counts, ...symbols], codes };
}

function writeValue(bits: BitWriter, { codes }: Huffman, zeros: number, value: number): void {
  const size = value === 0 ? 0 : Math.floor(Math.log2(Math.abs(value))) + 1;
  bits.write(...codes.get((zeros << 4) | size)!);
  bits.write(value >= 0 ? value : value + 2 ** size - 1, size);
}

class BitWriter {
  readonly #bytes: number[] = [];
  /** Fewer than 8 bits that make no byte yet. */
  #held = 0;
  #heldBits = 0;

  /** Writes the low `length` bits, at most 16, of `bits`, which has no others. */
  write(bits: number, length: number): void {
    this.#held = (this.#held << length) | bits;
    this.#heldBits += length;
    for (; this.#heldBits >= 8; this.#heldBits -= 8) {
      const byte = (this.#held >> (this.#heldBits - 8)) & 255;
      this.#bytes.push(byte);
      if (byte === 0xff) this.#bytes.push(0);
    }
    this.#held &= 2 ** this.#heldBits - 1;
  }

  marker(code: number): void {
    this.#fill();
    this.#bytes.push(0xff, code);
  }

  end(): Buffer {
    this.#fill();
    return Buffer.from(this.#bytes);
  }

  #fill(): void {
    if (this.#heldBits > 0) this.write(2 ** (8 - this.#heldBits) - 1, 8 - this.#heldBits);
  }
}

function segment(marker: number, content: readonly number[]): Buffer {
  return Buffer.from([0xff, marker, ...short(content.length + 2), ...content]);
}

function short(value: number): number[] {
  return [value >> 8, value & 255];
}

function latin1(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

function shuffled(symbols: readonly number[], random: (end: number) => number): number[] {
  return symbols
    .map((symbol) => [random(2 ** 24), symbol] as const)
    .sort(([a], [b]) => a - b)
    .map(([, symbol]) => symbol);
}

/** Seeded whole numbers from 0 to below `end`. */
function randomFrom(seed: number): (end: number) => number {
  let state = seed >>> 0;
  return (end) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * end);
  };
}
