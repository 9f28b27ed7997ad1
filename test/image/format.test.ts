import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { recognise } from '../../src/image/format.ts';

const latin1 = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const isoMedia = (brands: string): Uint8Array =>
  latin1(`\0\0\0${String.fromCharCode(8 + brands.length)}ftyp${brands}\0\0\0\x08mdat`);

describe('recognise', () => {
  for (const [format, bytes] of [
    ['jpeg', latin1('\xff\xd8\xff\xe0')],
    ['png', latin1('\x89PNG\r\n\x1a\n')],
    ['webp', latin1('RIFF\x10\0\0\0WEBPVP8L')],
    ['gif', latin1('GIF89a')],
    ['tiff', latin1('II*\0')],
    ['tiff', latin1('MM\0*')],
    ['avif', isoMedia('avif\0\0\0\0avifmif1')],
    ['avif', isoMedia('mif1\0\0\0\0mif1avif')],
  ] as const) {
    test(`accepts a ${format} that begins ${JSON.stringify(Buffer.from(bytes).toString('latin1'))}`, () => {
      assert.deepEqual(recognise(bytes), { kind: 'accepted', format });
    });
  }

  for (const [name, bytes] of [
    ['SVG', latin1('<svg xmlns="http://www.w3.org/2000/svg"/>')],
    ['SVG', latin1('\xef\xbb\xbf <?xml version="1.0"?>\n<!-- made by hand -->\n<svg\n>')],
    ['PDF', latin1('%PDF-1.7')],
    ['HEIC', isoMedia('heic\0\0\0\0mif1heic')],
    ['HEIF', isoMedia('mif1\0\0\0\0mif1')],
    ['MP4 or another ISO media file', isoMedia('isom\0\0\x02\0isommp41')],
    ['BMP', latin1('BM\x36\0\0\0')],
    ['JPEG XL', latin1('\xff\x0a\xfa')],
    ['JPEG 2000', latin1('\0\0\0\x0cjP  \r\n\x87\n')],
    ['PNM', latin1('P6\n2 2\n255\n')],
    ['ICO', latin1('\0\0\x01\0\x01\0')],
  ] as const) {
    test(`refuses ${name} that begins ${JSON.stringify(Buffer.from(bytes).toString('latin1'))}`, () => {
      assert.deepEqual(recognise(bytes), { kind: 'refused', name });
    });
  }

  for (const text of ['', 'hello', '{"image": ""}', '<html><body><svg></svg></body></html>', '\xff\xd8']) {
    test(`does not know ${JSON.stringify(text)}`, () => {
      assert.deepEqual(recognise(latin1(text)), { kind: 'unknown' });
    });
  }
});
