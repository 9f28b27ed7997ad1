import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { jsonImages } from '../../../src/transport/http/json-images.ts';
import { fuzzRuns, fuzzSeed, mutated, mutations, requireRefusal } from '../../support/fuzzing.ts';

const maxImages = 4;

function read(body: Uint8Array): Buffer[] {
  return jsonImages(Uint8Array.from(body), maxImages).images.map((image) => Buffer.from(image));
}

const space = fc
  .array(fc.constantFrom(' ', '\t', '\n', '\r'), { maxLength: 2 })
  .map((characters) => characters.join(''));

/** The ways in which JSON may write one character of a string. */
function writings(character: string): string[] {
  const code = character.charCodeAt(0).toString(16).padStart(4, '0');
  const mixed = code.replace(/[a-f]/, (digit) => digit.toUpperCase());
  const short = { '/': '\\/', '\n': '\\n', '\r': '\\r', '\t': '\\t' }[character] ?? [];
  const escaped = [`\\u${code}`, `\\u${code.toUpperCase()}`, `\\u${mixed}`, short].flat();
  return character < ' ' ? escaped : [character, ...escaped];
}

/** A JSON string of that text, each character of it written in any way, or mostly as it is. */
function jsonString(text: string): fc.Arbitrary<string> {
  const way = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat(5));
  return fc.array(way, { minLength: text.length, maxLength: text.length }).map((ways) => {
    const written = Array.from(text, (character, index) => {
      const all = writings(character);
      return all[ways[index]! % all.length]!;
    });
    return `"${written.join('')}"`;
  });
}

const lineBreak = fc.constantFrom('\n', '\r\n', '\r');
const word = fc.string({ unit: fc.constantFrom(...Array.from('aA9-+./')), maxLength: 5 });
const dataUrlStart = fc
  .record({
    scheme: fc.constantFrom('data:', 'DATA:', 'Data:'),
    type: fc.constantFrom('', 'image/jpeg', 'IMAGE/PNG', 'image/svg+xml'),
    parameters: fc.array(
      fc.tuple(word, word).map(([name, value]) => `;${name}=${value}`),
      { maxLength: 2 },
    ),
    base64: fc.constantFrom(';base64,', ';BASE64,', '; base64,', ';Base64 ,'),
  })
  .map(({ scheme, type, parameters, base64 }) => `${scheme}${type}${parameters.join('')}${base64}`);

/** Text of base64 that is to be read: either alphabet, padded or not, in lines or not, or as a data: URL. */
function base64Text(image: Uint8Array): fc.Arbitrary<string> {
  return fc
    .record({
      isUrlSafe: fc.boolean(),
      isPadded: fc.boolean(),
      breakAt: fc.option(fc.tuple(fc.integer({ min: 1, max: 76 }), lineBreak)),
      start: fc.option(dataUrlStart),
      isPercentEncoded: fc.boolean(),
      around: fc.tuple(space, space),
    })
    .map(({ isUrlSafe, isPadded, breakAt, start, isPercentEncoded, around }) => {
      let text = Buffer.from(image).toString('base64');
      if (!isPadded) text = text.replace(/=+$/, '');
      if (isUrlSafe) text = text.replaceAll('+', '-').replaceAll('/', '_');
      if (breakAt !== null) {
        const [length, mark] = breakAt;
        text = text.replace(new RegExp(`.{1,${length}}`, 'g'), (line) => line + mark);
      }
      if (start !== null) text = start + (isPercentEncoded ? encodeURIComponent(text) : text);
      return around[0] + text + around[1];
    });
}

/** A body of images as some client writes it, and the images. */
const written = fc
  .array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: maxImages })
  .chain((images) =>
    fc.record({
      images: fc.constant(images),
      values: fc.tuple(...images.map((image) => base64Text(image).chain(jsonString))),
      isList: images.length > 1 ? fc.constant(true) : fc.boolean(),
      names: fc.tuple(jsonString('image'), jsonString('images')),
      mark: fc.constantFrom('', '\ufeff'),
      spaces: fc.array(space, { minLength: 6, maxLength: 6 }),
    }),
  )
  .map(({ images, values, isList, names, mark, spaces: [a, b, c, d, e, f] }) => {
    const value = isList ? `[${c}${values.join(`${d},${c}`)}${d}]` : values[0];
    const text = `${mark}${a}{${b}${names[isList ? 1 : 0]}${c}:${d}${value}${e}}${f}`;
    return { images: images.map((image) => Buffer.from(image)), body: Buffer.from(text) };
  });

test('reads every writing of base64 in JSON that means one list of images', () => {
  fc.assert(
    fc.property(written, ({ images, body }) => assert.deepEqual(read(body), images)),
    { numRuns: fuzzRuns(1000), seed: fuzzSeed },
  );
});

const junk = fc.constantFrom(
  '"',
  '\\',
  '\\"',
  '\\u',
  '\\ud83d',
  '\\udc00',
  '\\u0000',
  '\\x41',
  '\u0000',
  '\ufeff',
  '\u2028',
  '\n',

  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '=',
  '==',
  '%',
  '%2B',
  '%zz',
  'data:',
  ';base64,',
  '\u{1f600}',
  ' ',
  '-0',
  '"image":',
  '"images":["',
  '"__proto__":null,',
  'null',
  '1e999',
  '{"image":"YQ=="}',
);

test('takes no damaged body for other images than JSON.parse reads in it, or refuses it in one line', () => {
  const damages = fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), junk), { maxLength: 4 });
  let taken = 0;
  fc.assert(
    fc.property(written, damages, fc.option(mutations), ({ body: sound }, pieces, changes) => {
      let text = sound.toString();
      for (const [where, piece] of pieces) {
        const at = Math.round(where * text.length);
        text = text.slice(0, at) + piece + text.slice(at);
      }
      const body = changes === null ? Buffer.from(text) : mutated(Buffer.from(text), changes);
      let images: Buffer[];
      try {
        images = read(body);
      } catch (error) {
        requireRefusal(error);
        return;
      }
      taken += 1;
      const parsed = JSON.parse(new TextDecoder().decode(body)) as { image?: string; images?: string[] };
      assert.deepEqual(Object.keys(parsed).length, 1);
      assert.deepEqual(images, (parsed.images ?? [parsed.image!]).map(bytesOf));
    }),
    { numRuns: fuzzRuns(1000), seed: fuzzSeed },
  );
  assert.ok(taken > fuzzRuns(1000) / 50, `${taken}`);
});

/** What Node reads of base64 in a string, which tells less of what is wrong with it. */
function bytesOf(text: string): Buffer {
  const data = text.trim().replace(/^data:.*?,/is, '');
  return Buffer.from(
    data.replace(/%([0-9a-f]{2})/gi, (_, code: string) => String.fromCharCode(parseInt(code, 16))),
    'base64',
  );
}
