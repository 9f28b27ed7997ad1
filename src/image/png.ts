import { promisify } from 'node:util';
import { crc32, deflate } from 'node:zlib';
import type { Raster } from './raster.ts';

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
const deflateSoon = promisify(deflate);

/**
 * A PNG file of the raster, 8-bit RGB, with `texts` as tEXt chunks (Latin-1; a keyword has 1 to 79 characters).
 * Compresses on libuv's threads; `raster.data` must not change meanwhile.
 */
export async function encodePng(
  { width, height, data }: Raster,
  texts: Readonly<Record<string, string>> = {},
): Promise<Uint8Array> {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // 8 bits a channel, RGB; deflate, filters by row, not interlaced.
  header.set([8, 2, 0, 0, 0], 8);
  const rowBytes = width * 3;
  // A row starts with its filter's number; 0 is none.
  const rows = new Uint8Array(height * (rowBytes + 1));
  for (let y = 0; y < height; y++) {
    rows.set(data.subarray(y * rowBytes, (y + 1) * rowBytes), y * (rowBytes + 1) + 1);
  }
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    ...Object.entries(texts).map(([keyword, text]) =>
      chunk('tEXt', Buffer.from(`${keyword}\0${text}`, 'latin1')),
    ),
    chunk('IDAT', await deflateSoon(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, content: Uint8Array): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), content]);
  const framed = Buffer.alloc(body.byteLength + 8);
  framed.writeUInt32BE(content.byteLength, 0);
  framed.set(body, 4);
  framed.writeUInt32BE(crc32(body), body.byteLength + 4);
  return framed;
}
