import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadSync, type MessageTypeDefinition } from '@grpc/proto-loader';
import sharp from 'sharp';
import { repository } from '../processes/paths.ts';
import type { Corpus } from './case.ts';

const definitions = loadSync('siglip_hd/v1/encoder.proto', {
  includeDirs: [fileURLToPath(new URL('../../../proto', import.meta.url))],
});

function serialize(name: string, message: object): Buffer {
  return (definitions[`siglip_hd.v1.${name}`] as unknown as MessageTypeDefinition<object, never>).serialize(
    message,
  );
}

/** The failure in a message of StreamEncode; undefined where it is part of an answer. */
export function readStreamed(
  bytes: Buffer,
): { readonly reason: string; readonly message: string } | undefined {
  const type = definitions['siglip_hd.v1.StreamEncodeResponse'] as unknown as MessageTypeDefinition<
    object,
    { readonly failure?: { readonly reason: string; readonly message: string } | null }
  >;
  return type.deserialize(bytes).failure ?? undefined;
}

const [width, height] = [48, 40];

/** Small pictures of every format and most of its kinds, and messages of every method that hold some of them. */
export async function readCorpus(): Promise<Corpus> {
  const images = { ...(await pictures()), npy: npyOf(pixels(3)) };
  const file = images.jpeg;
  const raw = { width, height, rgb: pixels(3) };
  const teacher = { scales: [128, 256], weights: [1, 2], grid: { width: 13, height: 7 } };
  const anyres = { maxGrid: { columns: 2, rows: 3 }, maxTiles: 2 };
  const options = { dtype: 'DTYPE_FLOAT32', exif: 'EXIF_IGNORE' };
  const digest = `sha256:${'a'.repeat(64)}`;
  const streamed = (id: string, request: object) => serialize('StreamEncodeRequest', { id, ...request });
  const messages = {
    Encode: [
      serialize('EncodeRequest', { image: { file }, options }),
      serialize('EncodeRequest', { image: { digest } }),
    ],
    TeacherEncode: [serialize('TeacherEncodeRequest', { image: { raw }, teacher })],
    AnyResEncode: [serialize('AnyResEncodeRequest', { image: { file: images.webp }, anyres })],
    Plan: [serialize('PlanRequest', { image: { width: 640, height: 480 }, teacher })],
    ListModels: [serialize('ListModelsRequest', {})],
    StreamEncode: [
      streamed('a', { anyres: { image: { raw }, anyres } }),
      streamed('b', { encode: { image: { file }, options } }),
      streamed('c', { teacher: { image: { file: images.png }, teacher } }),
      streamed('', { encode: { image: { digest } } }),
    ],
  };
  return { images, messages };
}

async function pictures() {
  const picture = (channels: 3 | 4 = 3) => sharp(pixels(channels), { raw: { width, height, channels } });
  const frames = sharp(Buffer.concat([pixels(3), pixels(3)]), {
    raw: { width, height: 2 * height, channels: 3, pageHeight: height },
  });
  const exif = { IFD0: { Orientation: '6', Artist: 'x' } };
  return {
    jpeg: await picture().jpeg().toBuffer(),
    'progressive jpeg': await picture().jpeg({ progressive: true }).toBuffer(),
    'turned jpeg': await picture().withExif(exif).withMetadata({ orientation: 6 }).jpeg().toBuffer(),
    'cmyk jpeg': await picture().toColourspace('cmyk').jpeg().toBuffer(),
    'grey jpeg': await picture().greyscale().jpeg().toBuffer(),
    png: await picture().png().toBuffer(),
    'deep png': await picture(4).toColourspace('rgb16').png().toBuffer(),
    'palette png': await picture().png({ palette: true }).toBuffer(),
    'interlaced png': await picture().png({ progressive: true }).toBuffer(),
    webp: await picture().webp().toBuffer(),
    'lossless webp': await picture(4).webp({ lossless: true }).toBuffer(),
    'moving webp': await frames.clone().webp().toBuffer(),
    'turned webp': await picture(4).withMetadata({ orientation: 6 }).webp().toBuffer(),
    gif: await picture().gif().toBuffer(),
    'moving gif': await frames.clone().gif().toBuffer(),
    tiff: await picture().tiff({ compression: 'lzw' }).toBuffer(),
    'plain tiff': await picture(4).tiff({ compression: 'none' }).toBuffer(),
    'tiled tiff': await picture()
      .tiff({ compression: 'deflate', tile: true, tileWidth: 16, tileHeight: 16 })
      .toBuffer(),
    'jpeg in tiff': await picture().tiff({ compression: 'jpeg' }).toBuffer(),
    'bilevel tiff': await picture()
      .greyscale()
      .toColourspace('b-w')
      .tiff({ compression: 'ccittfax4', bitdepth: 1 })
      .toBuffer(),
    'cmyk tiff': await picture().toColourspace('cmyk').tiff({ compression: 'none' }).toBuffer(),
    avif: await picture().avif({ effort: 0 }).toBuffer(),
    'avif with alpha': await picture(4).avif({ effort: 0, lossless: true }).toBuffer(),
    photograph: await readFile(join(repository, 'test/fixtures/images/tall.webp')),
  };
}

function pixels(channels: number): Buffer {
  return Buffer.from(Array.from({ length: width * height * channels }, (_, index) => (index * 37) % 256));
}

function npyOf(rgb: Buffer): Buffer {
  const head = Buffer.alloc(128, 0x20);
  head.write('\x93NUMPY\x01\x00', 'latin1');
  head.writeUInt16LE(118, 8);
  head.write(`{'descr': '|u1', 'fortran_order': False, 'shape': (${height}, ${width}, 3), }`, 10, 'latin1');
  head[127] = 0x0a;
  return Buffer.concat([head, rgb]);
}
