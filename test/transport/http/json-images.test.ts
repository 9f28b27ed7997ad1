import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { ServiceError } from '../../../src/errors/service-error.ts';
import { jsonImages } from '../../../src/transport/http/json-images.ts';
import { JsonPool } from '../../../src/transport/http/json-pool.ts';

function owned(text: string | Buffer): Uint8Array<ArrayBuffer> {
  return new Uint8Array(typeof text === 'string' ? Buffer.from(text) : text);
}

function read(text: string, maxImages = 8): Buffer[] {
  return jsonImages(owned(text), maxImages).images.map((bytes) => Buffer.from(bytes));
}

/** Has every character of base64 that there is, and padding. */
const image = Buffer.from([...Array.from({ length: 256 }, (_, byte) => byte), 0xfb, 0xff, 0xbf, 0x3e]);
const base64 = image.toString('base64');

test('reads what JSON.stringify writes, at any indentation', () => {
  const payload = fc.uint8Array({ minLength: 1, maxLength: 50 });
  const images = fc.array(payload, { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(images, fc.integer({ min: 0, max: 4 }), (sent, indent) => {
      const list = sent.map((bytes) => Buffer.from(bytes).toString('base64'));
      const text = JSON.stringify({ images: list }, null, indent);
      assert.deepEqual(
        read(text),
        sent.map((bytes) => Buffer.from(bytes)),
      );
    }),
    { seed: 1 },
  );
});

test('reads base64 with any of its characters escaped in any way that JSON has', () => {
  const escaped = fc
    .array(fc.integer({ min: 0, max: 3 }), { minLength: base64.length, maxLength: base64.length })
    .map((ways) =>
      base64.split('').map((character, index) => {
        const code = character.charCodeAt(0).toString(16).padStart(4, '0');
        if (ways[index] === 1) return `\\u${code}`;
        if (ways[index] === 2) return `\\u${code.toUpperCase()}`;
        return ways[index] === 3 && character === '/' ? '\\/' : character;
      }),
    );
  fc.assert(
    fc.property(escaped, (characters) => {
      assert.deepEqual(read(`{"im\\u0061ge":"${characters.join('')}"}`), [image]);
    }),
    { seed: 2 },
  );
});

const lines = base64.match(/.{1,76}/g)!;
const writings: [what: string, text: string][] = [
  ["\\u002B, as .NET's serialiser writes +", base64.replaceAll('+', '\\u002B')],
  ['\\u003d, as Gson writes =', base64.replaceAll('=', '\\u003d')],
  ['\\/, as PHP writes /', base64.replaceAll('/', '\\/')],
  ['line breaks of MIME', lines.join('\\r\\n')],
  ['line breaks of base64 without -w0, escaped', `${lines.join('\\n')}\\n`],
  ['base64url, without padding', image.toString('base64url')],
  ['base64url, padded', base64.replaceAll('+', '-').replaceAll('/', '_')],
  ['no padding', base64.replace(/=+$/, '')],
  ['spaces around it', `  ${base64} `],
  ['a data: URL', `data:image/png;base64,${base64}`],
  ['a data: URL in capitals', `DATA:image/PNG;BASE64,${base64}`],
  ['a data: URL with parameters', `data:image/svg+xml;charset=utf-8;base64,${base64}`],
  ['a data: URL without a type', `data:;base64,${base64}`],
  ['a data: URL with percent escapes', `data:image/png;base64,${encodeURIComponent(base64)}`],
  ['a data: URL with line breaks', `data:image/png;base64,\\n${lines.join('\\n')}`],
];
for (const [what, text] of writings) {
  test(`reads base64 with ${what}`, () => {
    assert.deepEqual(read(`{"image":"${text}"}`), [image]);
    assert.deepEqual(read(`\ufeff{"images":["${text}","YQ=="]}`), [image, Buffer.from('a')]);
  });
}

test('takes nothing that JSON.parse does not, and nothing of another shape', () => {
  const pieces = [
    '{',
    '}',
    '[',
    ']',
    '"',
    ':',
    ',',
    ' ',
    '\n',
    'image',
    'images',
    'YQ==',
    '\\',
    '\\"',
    '\\/',
    '5',
    'null',
  ];
  const some = (maxLength: number) =>
    fc.array(fc.constantFrom(...pieces), { maxLength }).map((list) => list.join(''));
  const text = fc.oneof(
    some(12),
    some(3).map((rest) => `{"image":"YWJj"${rest}}`),
    some(4).map((rest) => `{"images":["YWJj"${rest}]}`),
    fc.json(),
  );
  let taken = 0;
  fc.assert(
    fc.property(text, (body) => {
      let images: Buffer[];
      try {
        images = read(body);
      } catch (error) {
        assert.ok(error instanceof ServiceError && error.code === 'invalid_argument', String(error));
        assert.ok(error.message.length < 300, error.message);
        return;
      }
      taken += 1;
      const parsed = JSON.parse(body) as { image?: string; images?: string[] };
      const expected = parsed.images ?? [parsed.image ?? ''];
      assert.deepEqual(
        images,
        expected.map((value) => Buffer.from(value, 'base64')),
      );
    }),
    { seed: 2, numRuns: 2000 },
  );
  assert.ok(taken > 0);
});

for (const encoding of ['utf-16le', 'utf-16be', 'utf-32le'] as const) {
  for (const mark of ['', '\ufeff']) {
    test(`says of JSON in ${encoding}${mark && ' with a byte order mark'} that it must be UTF-8`, () => {
      const text = `${mark}{"image":"${base64}"}`;
      const wide = Buffer.from(text, 'utf-16le');
      const bytes = {
        'utf-16le': () => wide,
        'utf-16be': () => wide.swap16(),
        'utf-32le': () => Buffer.from(Uint32Array.from(text, (one) => one.codePointAt(0)!).buffer),
      }[encoding]();
      assert.throws(() => jsonImages(owned(bytes), 1), {
        code: 'invalid_argument',
        message: 'The body is not valid JSON: it is in UTF-16 or UTF-32. Write it in UTF-8, as JSON is.',
      });
    });
  }
}

const pool = new JsonPool((error) => assert.fail(String(error)));
after(() => pool.close());

test('reads large bodies on a thread, and refuses them from there with the same sentences', async () => {
  const large = Buffer.from(Array.from({ length: 1_200_001 }, (_, at) => (at * at + (at >> 8)) & 255));
  const text = large.toString('base64');
  const [only] = (await pool.read(owned(`{"image":"${text}"}`), 1)).images;
  assert.ok(large.equals(only!));
  for (const at of [0, 524_287, 700_000, text.length - 5]) {
    const broken = `${text.slice(0, at)}*${text.slice(at + 1)}`;
    await assert.rejects(pool.read(owned(`{"image":"${broken}"}`), 1), {
      code: 'invalid_argument',
      message: 'image is not valid base64: "*" is in it.',
    });
  }
});

const megabytes = 20_000_000;
for (const [what, body] of [
  ['brackets', '['.repeat(megabytes)],
  ['brackets inside of an image list', `{"images":${'['.repeat(megabytes)}`],
  ['objects', `{"image":${'{"a":'.repeat(megabytes / 5)}`],
  ['fields', `{${'"a":1,'.repeat(megabytes / 6)}"image":"YQ=="}`],
  ['numbers', `{"images":[${'1,'.repeat(megabytes / 2)}1]}`],
  ['a number', `{"image":${'9'.repeat(megabytes)}}`],
  ['a name', `{"${'n'.repeat(megabytes)}":1}`],
  ['escapes', `{"image":"${'\\ud800'.repeat(megabytes / 6)}"}`],
  ['quotes', `{"image":"${'\\"'.repeat(megabytes / 2)}"}`],
  ['spaces', ' '.repeat(megabytes)],
] as const) {
  test(`refuses 20 MB of ${what} within seconds and in little memory`, async () => {
    const given = owned(body);
    const before = process.memoryUsage().rss;
    await assert.rejects(pool.read(given, 16), { code: 'invalid_argument' });
    const grownMiB = (process.memoryUsage().rss - before) / 2 ** 20;
    assert.ok(grownMiB < 400, `${grownMiB} MiB more`);
  });
}
