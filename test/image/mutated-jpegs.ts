// JPEGs of every kind, some of their bytes changed, cut out, repeated or added.
import fc from 'fast-check';
import sharp from 'sharp';
import { plainJpeg, writeJpeg } from './jpeg-writer.ts';
import { noise } from './noise.ts';

const { data, ...raw } = { ...noise({ width: 40, height: 28 }, 5), channels: 3 as const };
const smooth = await sharp(data, { raw }).blur(1.5).raw().toBuffer();
const picture = () => sharp(smooth, { raw });
const rough = noise({ width: 19, height: 23 }, 9);
const pictures = await Promise.all([
  picture().jpeg({ quality: 80 }).toBuffer(),
  picture().jpeg({ quality: 95, chromaSubsampling: '4:4:4' }).toBuffer(),
  picture().jpeg({ optimiseCoding: false, quality: 60 }).withMetadata({ orientation: 6 }).toBuffer(),
  picture().jpeg({ quality: 70 }).withIccProfile('p3').toBuffer(),
  picture().greyscale().jpeg().toBuffer(),
  picture().jpeg({ progressive: true }).toBuffer(),
  picture().toColourspace('cmyk').jpeg().toBuffer(),
  sharp(rough.data, { raw: { ...rough, channels: 3 } })
    .jpeg({ quality: 100 })
    .toBuffer(),
]);

const sound = [
  ...pictures,
  writeJpeg(plainJpeg),
  writeJpeg({ ...plainJpeg, sampling: [2, 1], colours: 'Adobe', restartInterval: 2 }),
  writeJpeg({ ...plainJpeg, sampling: [1, 2], colours: 'none', hasLongCodes: true }),
  writeJpeg({ ...plainJpeg, sampling: [2, 2], restartInterval: 1, mostBits: 8, mostFactor: 255 }),
  writeJpeg({ ...plainJpeg, sampling: undefined, restartInterval: 3, density: 0.5 }),
  writeJpeg({ ...plainJpeg, sampling: [4, 1] }),
  // Five strips, with restarts within a batch of 16 MCUs and between batches.
  writeJpeg({ ...plainJpeg, width: 3000, height: 40, restartInterval: 40, density: 0.01 }),
];

const marker = fc.constantFrom(
  0x00,
  0xc0,
  0xc1,
  0xc2,
  0xc4,
  0xcc,
  0xd0,
  0xd1,
  0xd3,
  0xd8,
  0xd9,
  0xda,
  0xdb,
  0xdc,
  0xdd,
  0xe0,
  0xee,
  0xff,
);

/** How far into a file: evenly, near its end, or among its segments. */
const place = fc.oneof(
  fc.nat(0xffff),
  fc.nat(12).map((back) => -1 - back),
  fc.integer({ min: 2, max: 700 }),
);
const at = (file: Buffer, where: number): number => ((where % file.length) + file.length) % file.length;

type Mutation = (file: Buffer) => Buffer;

const spliced =
  (where: number, drop: number, added: Uint8Array): Mutation =>
  (file) => {
    const from = at(file, where);
    return Buffer.concat([file.subarray(0, from), added, file.subarray(from + drop)]);
  };

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(place, fc.nat(255)).map(([where, byte]) => spliced(where, 1, Buffer.of(byte))),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(place, fc.nat(7)).map(
      ([where, bit]): Mutation =>
        (file) => {
          const copy = Buffer.from(file);
          copy[at(file, where)]! ^= 1 << bit;
          return copy;
        },
    ),
  },
  fc.tuple(place, fc.integer({ min: 1, max: 40 })).map(([where, drop]) => spliced(where, drop, Buffer.of())),
  fc
    .tuple(place, fc.uint8Array({ minLength: 1, maxLength: 20 }))
    .map(([where, bytes]) => spliced(where, 0, bytes)),
  fc
    .tuple(place, fc.nat(2), marker)
    .map(([where, drop, code]) => spliced(where, drop, Buffer.of(0xff, code))),
  fc.tuple(place, fc.integer({ min: 1, max: 60 })).map(
    ([where, length]): Mutation =>
      (file) => {
        const from = at(file, where);
        return spliced(from, 0, file.subarray(from, from + length))(file);
      },
  ),
  fc.tuple(fc.constantFrom(...sound), place, place).map(
    ([other, head, tail]): Mutation =>
      (file) =>
        Buffer.concat([file.subarray(0, at(file, head)), other.subarray(at(other, tail))]),
  ),
  // A segment's own fields: sampling, identifiers, the size, the interval.
  fc.tuple(fc.constantFrom(0xc0, 0xc4, 0xda, 0xdb, 0xdd, 0xe0, 0xee), fc.nat(24), fc.nat(255)).map(
    ([code, into, byte]): Mutation =>
      (file) => {
        const segment = file.indexOf(Buffer.of(0xff, code));
        return segment === -1 ? file : spliced(segment + 2 + into, 1, Buffer.of(byte))(file);
      },
  ),
);

export const mutatedJpeg: fc.Arbitrary<Buffer> = fc
  .tuple(fc.constantFrom(...sound), fc.array(mutation, { minLength: 1, maxLength: 3 }))
  .map(([file, mutations]) => mutations.reduce((changed, mutate) => mutate(changed), file));
