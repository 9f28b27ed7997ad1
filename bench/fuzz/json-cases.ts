import type { Corpus, FuzzInput } from './case.ts';
import { anImage, encodeRoutes } from './ingredients.ts';
import { mutate } from './mutate.ts';
import { below, pick, type Random, several } from './random.ts';
import { anyText, headerText } from './texts.ts';

/** A JSON body that is odd, and then mutated or not. */
export function jsonBody(corpus: Corpus, random: Random): FuzzInput {
  const body = Buffer.from(text(corpus, random));
  const types = ['application/json', 'application/json', 'application/json; charset=utf-16'];
  const type = random() < 0.95 ? pick(random, types) : `application/json;${headerText(random)}`;
  const format = random() < 0.3 ? `?format=${pick(random, ['json', 'jsonl', 'safetensors', 'raw'])}` : '';
  return {
    kind: 'http',
    what: 'mutated JSON',
    method: 'POST',
    path: pick(random, encodeRoutes) + format,
    headers: { 'content-type': type },
    body: random() < 0.5 ? body : mutate(body, random),
  };
}

function text(corpus: Corpus, random: Random): string {
  const image = anImage(corpus, random).bytes.subarray(0, 20_000).toString('base64');
  const depth = pick(random, [1, 2, 30, 5000, 100_000]);
  return pick(random, [
    () => JSON.stringify({ image }),
    () => JSON.stringify({ image: oddBase64(image, random) }),
    () => escaped(JSON.stringify({ image }), random),
    () => JSON.stringify({ images: several(below(random, 20), () => image.slice(0, 4000)) }),
    () => JSON.stringify({ images: [image, oddBase64(image, random), anyValue(random)] }),
    () => JSON.stringify({ image: anyText(random), [anyText(random)]: below(random, 9) }),
    () => `{"image":${JSON.stringify(anyValue(random))}}`,
    () => `{"images":${JSON.stringify(anyValue(random))}}`,
    () => JSON.stringify(anyValue(random)),
    () => '['.repeat(depth) + ']'.repeat(depth),
    () => '['.repeat(depth),
    () => `{"image":${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}}`,
    () => `{"images":[${'['.repeat(depth)}"${image.slice(0, 40)}"${']'.repeat(depth)}]}`,
    () => `{"images":[${'1e400,'.repeat(below(random, 400))}null]}`,
    () => `{"images":[${'"",'.repeat(below(random, 100_000))}""]}`,
    () => `{${several(below(random, 9000), (index) => `"k${index}":1,`).join('')}"image":"${image}"}`,
    () => `{"image":"a","image":"${image}"}`,
    () => `{"image":"${image}","images":["${image}"]}`,
    () => `{"__proto__":{"image":"${image}"},"constructor":{"prototype":{"image":1}}}`,
    () => `{"image":"${image}","__proto__":null}`,
    () => `\ufeff{"image":"${image}"}${pick(random, ['', ' ', '\u0000', '{}', ',', '//'])}`,
    () => `{"image":${'9'.repeat(below(random, 5000))}}`,
    () => `{"image":"${'\\u0000'.repeat(below(random, 900))}\\ud800"}`,
  ])();
}

/** The same JSON with some of its characters escaped, in strings and, which is wrong, around them. */
function escaped(json: string, random: Random): string {
  const share = pick(random, [0.01, 0.5, 1]);
  return json.replace(pick(random, [/[+/=]/g, /[A-Za-z0-9+/=]/g, /./g]), (character) => {
    if (random() > share) return character;
    const code = character.charCodeAt(0).toString(16).padStart(4, '0');
    return pick(random, [`\\u${code}`, `\\u${code.toUpperCase()}`, `\\${character}`]);
  });
}

function oddBase64(image: string, random: Random): string {
  const at = below(random, image.length);
  return pick(random, [
    () => image.slice(0, at),
    () => `${image.slice(0, at)}=${image.slice(at)}`,
    () => `${image}====`,
    () => image.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', ''),
    () => `${image.slice(0, at)}\n${image.slice(at)}`,
    () => `data:image/png;base64,${image}`,
    () => `DATA:${anyText(random)};Base64,${encodeURIComponent(image)}`,
    () => image.replace(/.{76}/g, (line) => `${line}\r\n`),
    () => `${image.slice(0, at)}${anyText(random)}${image.slice(at)}`,
    () => '='.repeat(below(random, 99)),
    () => 'A',
  ])();
}

function anyValue(random: Random): unknown {
  return pick<unknown>(random, [
    null,
    true,
    -0,
    Number.MAX_VALUE,
    anyText(random),
    [],
    {},
    [[]],
    [null],
    [true, 1],
    { length: 3, 0: 'a' },
    { type: 'Buffer', data: [1] },
    { toString: 1 },
  ]);
}
