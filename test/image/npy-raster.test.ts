import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ServiceError } from '../../src/errors/service-error.ts';
import type { ErrorCode } from '../../src/errors/service-error.ts';
import { isNpy, readNpyRasters } from '../../src/image/npy-raster.ts';

const limits = { maxPixels: 1000, maxImages: 4 };

interface Header {
  readonly version?: 1 | 2 | 3;
  readonly descr?: string;
  readonly fortran?: 'True' | 'False';
  readonly shape: string;
}

function npy({ version = 1, descr = "'|u1'", fortran = 'False', shape }: Header, data: Uint8Array): Buffer {
  return withHeader(`{'descr': ${descr}, 'fortran_order': ${fortran}, 'shape': (${shape}), }`, data, version);
}

function withHeader(text: string, data: Uint8Array, version = 1): Buffer {
  const start = version === 1 ? 10 : 12;
  const header = `${text.padEnd(Math.ceil((text.length + start + 1) / 64) * 64 - start - 1)}\n`;
  const length = Buffer.alloc(start - 8);
  if (version === 1) length.writeUInt16LE(header.length);
  else length.writeUInt32LE(header.length);
  const intro = Buffer.concat([Buffer.from('\x93NUMPY', 'latin1'), Buffer.from([version, 0]), length]);
  return Buffer.concat([intro, Buffer.from(header, 'latin1'), data]);
}

function refusal(bytes: Uint8Array, code: ErrorCode, message: RegExp): void {
  assert.throws(
    () => readNpyRasters(bytes, limits),
    (error) => {
      assert.ok(error instanceof ServiceError);
      assert.equal(error.code, code);
      assert.match(error.message, message);
      return true;
    },
  );
}

describe('readNpyRasters', () => {
  test('reads one image or several, in every format version', () => {
    const side = fc.integer({ min: 1, max: 12 });
    const version = fc.constantFrom<1 | 2 | 3>(1, 2, 3);
    fc.assert(
      fc.property(side, side, fc.option(fc.integer({ min: 1, max: 4 })), version, (height, width, n, v) => {
        const data = Uint8Array.from({ length: (n ?? 1) * height * width * 3 }, (_, i) => i);
        const shape = [...(n === null ? [] : [n]), height, width, 3].join(', ');
        const { rasters, stacked } = readNpyRasters(npy({ version: v, shape }, data), limits);
        assert.equal(stacked, n !== null);
        assert.equal(rasters.length, n ?? 1);
        assert.ok(rasters.every((raster) => raster.width === width && raster.height === height));
        assert.deepEqual(Buffer.concat(rasters.map((raster) => raster.data)), Buffer.from(data));
      }),
    );
  });

  test('copies no pixels', () => {
    const bytes = npy({ shape: '2, 1, 2, 3' }, new Uint8Array(12));
    for (const { data } of readNpyRasters(bytes, limits).rasters) assert.equal(data.buffer, bytes.buffer);
  });

  test('reads a file that lies inside a larger buffer', () => {
    const bytes = npy({ shape: '1, 1, 3' }, Uint8Array.of(1, 2, 3));
    const inside = Buffer.concat([Buffer.alloc(7), bytes, Buffer.alloc(5)]).subarray(7, 7 + bytes.length);
    assert.deepEqual(readNpyRasters(inside, limits).rasters[0]?.data, Uint8Array.of(1, 2, 3));
  });

  test('reads keys in any order', () => {
    const text = "{'shape': (1, 1, 3), 'descr': '|u1', 'fortran_order': False}";
    assert.equal(readNpyRasters(withHeader(text, new Uint8Array(3)), limits).rasters.length, 1);
  });

  const cases: readonly (readonly [why: string, bytes: Uint8Array, code: ErrorCode, message: RegExp])[] = [
    [
      'another dtype',
      npy({ descr: "'<f4'", shape: '1, 1, 3' }, new Uint8Array(12)),
      'invalid_argument',
      /: its dtype is <f4 and must be uint8\.$/,
    ],
    [
      'signed bytes',
      npy({ descr: "'|i1'", shape: '1, 1, 3' }, new Uint8Array(3)),
      'invalid_argument',
      /dtype is \|i1/,
    ],
    [
      'a record dtype',
      npy({ descr: "[('r', '|u1')]", shape: '1, 1, 3' }, new Uint8Array(3)),
      'invalid_argument',
      /its dtype is structured/,
    ],
    [
      'Fortran order',
      npy({ fortran: 'True', shape: '1, 1, 3' }, new Uint8Array(3)),
      'invalid_argument',
      /: it is in Fortran order and must be in C order\.$/,
    ],
    [
      'two dimensions',
      npy({ shape: '4, 4' }, new Uint8Array(16)),
      'invalid_argument',
      /: its shape is \[4, 4\] and must be \[height, width, 3\] or \[n, height, width, 3\]\.$/,
    ],
    [
      'five dimensions',
      npy({ shape: '1, 1, 1, 1, 3' }, new Uint8Array(3)),
      'invalid_argument',
      /its shape is/,
    ],
    [
      'four channels',
      npy({ shape: '2, 2, 4' }, new Uint8Array(16)),
      'invalid_argument',
      /its shape is \[2, 2, 4\]/,
    ],
    ['channels first', npy({ shape: '3, 2, 2' }, new Uint8Array(12)), 'invalid_argument', /its shape is/],
    [
      'no images',
      npy({ shape: '0, 2, 2, 3' }, new Uint8Array()),
      'invalid_argument',
      /its shape is \[0, 2, 2, 3\]/,
    ],
    ['no rows', npy({ shape: '0, 2, 3' }, new Uint8Array()), 'invalid_argument', /its shape is/],
    [
      'missing pixels',
      npy({ shape: '2, 2, 3' }, new Uint8Array(11)),
      'invalid_argument',
      /: it has 11 bytes of pixels, and its shape needs 12\.$/,
    ],
    ['pixels left over', npy({ shape: '2, 2, 3' }, new Uint8Array(13)), 'invalid_argument', /13 bytes/],
    ['another version', withHeader('{}', new Uint8Array(), 4), 'invalid_argument', /version is 4/],
    [
      'a header that is not a dictionary',
      withHeader('nonsense', new Uint8Array()),
      'invalid_argument',
      /header cannot be read/,
    ],
    [
      'what is not .npy',
      Buffer.from('PK\x03\x04 an archive'),
      'invalid_argument',
      /does not start with the \.npy signature/,
    ],
    [
      'too many images',
      npy({ shape: '5, 1, 1, 3' }, new Uint8Array(15)),
      'too_large',
      /^The \.npy file has 5 images; at most 4 are accepted \(--max-images\)\.$/,
    ],
    [
      'too many pixels, before their bytes are looked for',
      npy({ shape: '20000, 20000, 3' }, new Uint8Array()),
      'too_large',
      /^The image has 20,000 x 20,000 pixels; at most 1,000 pixels are accepted \(--max-pixels\)\.$/,
    ],
  ];
  for (const [why, bytes, code, message] of cases) {
    test(`refuses ${why}`, () => refusal(bytes, code, message));
  }

  test('refuses a file cut anywhere', () => {
    const bytes = npy({ shape: '2, 2, 3' }, new Uint8Array(12));
    for (let length = 0; length < bytes.length; length++) {
      refusal(bytes.subarray(0, length), 'invalid_argument', /^The \.npy file cannot be used: it/);
    }
  });

  test('fails only with what a caller can be told, whatever became of a file', () => {
    const bytes = npy({ shape: '2, 3, 3' }, new Uint8Array(18));
    const change = fc.tuple(fc.nat(bytes.length - 1), fc.nat(255));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 6 }), (changes) => {
        const changed = Buffer.from(bytes);
        for (const [at, value] of changes) changed[at] = value;
        try {
          for (const { width, height, data } of readNpyRasters(changed, limits).rasters) {
            assert.equal(data.length, width * height * 3);
          }
        } catch (error) {
          assert.ok(error instanceof ServiceError);
          assert.match(error.message, /^[ -~]{1,250}$/);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('isNpy', () => {
  test('knows .npy by its first bytes', () => {
    assert.ok(isNpy(npy({ shape: '1, 1, 3' }, new Uint8Array(3))));
    assert.ok(!isNpy(Buffer.from('\x93NUMP', 'latin1')));
    assert.ok(!isNpy(new Uint8Array()));
  });
});
