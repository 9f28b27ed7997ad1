import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { loadSync, type MessageTypeDefinition } from '@grpc/proto-loader';
import sharp from 'sharp';
import { repository } from '../paths.ts';
import type { Corpus } from './cases.ts';

const definitions = loadSync('siglip_hd/v1/encoder.proto', {
  includeDirs: [fileURLToPath(new URL('../../../proto', import.meta.url))],
});

function serialize(name: string, message: object): Buffer {
  return (definitions[`siglip_hd.v1.${name}`] as unknown as MessageTypeDefinition<object, never>).serialize(
    message,
  );
}

/** Small pictures of every format, a photograph, and messages of every method that hold some of them. */
export async function readCorpus(): Promise<Corpus> {
  const pixels = Buffer.from(Array.from({ length: 48 * 40 * 3 }, (_, index) => (index * 37) % 256));
  const picture = () => sharp(pixels, { raw: { width: 48, height: 40, channels: 3 } });
  const images = {
    jpeg: await picture().jpeg().toBuffer(),
    'progressive jpeg': await picture().jpeg({ progressive: true }).toBuffer(),
    png: await picture().png().toBuffer(),
    'palette png': await picture().png({ palette: true }).toBuffer(),
    webp: await picture().webp().toBuffer(),
    'lossless webp': await picture().webp({ lossless: true }).toBuffer(),
    gif: await picture().gif().toBuffer(),
    tiff: await picture().tiff({ compression: 'lzw' }).toBuffer(),
    avif: await picture().avif({ effort: 0 }).toBuffer(),
    npy: npyOf(pixels, 40, 48),
    photograph: await readFile(join(repository, 'test/fixtures/images/tall.webp')),
  };
  const file = images.jpeg;
  const raw = { width: 48, height: 40, rgb: pixels };
  const teacher = { scales: [512, 1024], weights: [1, 2], grid: { width: 37, height: 20 } };
  const anyres = { maxGrid: { columns: 2, rows: 3 }, maxTiles: 2 };
  const messages = {
    Encode: serialize('EncodeRequest', {
      image: { file },
      options: { dtype: 'DTYPE_FLOAT32', model: 'stub' },
    }),
    TeacherEncode: serialize('TeacherEncodeRequest', { image: { raw }, teacher }),
    AnyResEncode: serialize('AnyResEncodeRequest', { image: { file: images.webp }, anyres }),
    Plan: serialize('PlanRequest', { image: { width: 640, height: 480 }, teacher }),
    ListModels: serialize('ListModelsRequest', {}),
    StreamEncode: serialize('StreamEncodeRequest', { id: 'a', anyres: { image: { raw }, anyres } }),
  };
  return { images, messages };
}

function npyOf(pixels: Buffer, height: number, width: number): Buffer {
  const head = Buffer.alloc(128, 0x20);
  head.write('\x93NUMPY\x01\x00', 'latin1');
  head.writeUInt16LE(118, 8);
  head.write(`{'descr': '|u1', 'fortran_order': False, 'shape': (${height}, ${width}, 3), }`, 10, 'latin1');
  head[127] = 0x0a;
  return Buffer.concat([head, pixels]);
}
