import type { Corpus, FuzzInput } from './case.ts';
import { anImage, encodeRoutes } from './ingredients.ts';
import { mutate } from './mutate.ts';
import { below, pick, type Random, several } from './random.ts';
import { anyText, headerText } from './texts.ts';

const boundaries = ['b', 'boundary', '-'.repeat(70), 'x'.repeat(300), 'a b', '', '--', 'b\t', '"', 'b;b'];
const counts = [0, 1, 1, 1, 2, 3, 16, 17, 40];

/** A form that is right but for a few things. */
export function mutatedForm(corpus: Corpus, random: Random): FuzzInput {
  const boundary = pick(random, boundaries);
  const newline = random() < 0.93 ? '\r\n' : '\n';
  const parts = several(pick(random, counts), () => part(corpus, random, boundary, newline));
  const preamble = random() < 0.1 ? [Buffer.from(`${anyText(random)}${newline}`)] : [];
  const end = pick(random, ['--', '--', '--', '--', '-', '', `--${newline}${anyText(random)}`]);
  const terminator = random() < 0.1 ? [] : [Buffer.from(`--${boundary}${end}${newline}`)];
  const form = Buffer.concat([...preamble, ...parts, ...terminator]);
  return {
    kind: 'http',
    what: 'a mutated form',
    method: 'POST',
    path: pick(random, encodeRoutes),
    headers: { 'content-type': contentType(random, boundary) },
    body: random() < 0.5 ? form : mutate(form, random),
  };
}

function contentType(random: Random, boundary: string): string {
  return pick(random, [
    `multipart/form-data; boundary=${boundary}`,
    `multipart/form-data; boundary=${boundary}`,
    `multipart/form-data; boundary="${boundary}"`,
    `multipart/form-data; boundary=other; boundary=${boundary}`,
    `Multipart/Form-Data;charset=utf-16;boundary=${boundary}`,
    `multipart/form-data; boundary*=utf-8''${boundary}`,
    `multipart/mixed; boundary=${boundary}`,
    'multipart/form-data',
    `multipart/form-data; ${headerText(random)}`,
  ]);
}

function part(corpus: Corpus, random: Random, boundary: string, newline: string): Buffer {
  const name = random() < 0.85 ? 'image' : anyText(random);
  const disposition = pick(random, [
    `form-data; name="${name}"; filename="a"`,
    `form-data; name="${name}"; filename="a"`,
    `form-data; name=${name}`,
    `form-data; name="${name}"; name="image"; filename*=UTF-8''%ff%00${anyText(random)}`,
    `form-data; filename="${anyText(random)}"`,
    `attachment; name="${name}"`,
    anyText(random),
  ]);
  const headers = [`content-disposition: ${disposition}`];
  if (random() < 0.1) headers.push(`content-disposition: form-data; name="image"`);
  if (random() < 0.2) headers.push(`${anyText(random)}: ${anyText(random)}`);
  if (random() < 0.1) headers.push('content-transfer-encoding: base64');
  if (random() < 0.05) headers.push(...several(below(random, 200), (index) => `x-${index}: y`));
  if (random() < 0.05) headers.splice(0);
  return Buffer.concat([
    Buffer.from(`--${boundary}${newline}${headers.map((line) => line + newline).join('')}${newline}`),
    content(corpus, random),
    Buffer.from(random() < 0.95 ? newline : ''),
  ]);
}

function content(corpus: Corpus, random: Random): Buffer {
  const image = anImage(corpus, random).bytes;
  return pick(random, [
    () => image,
    () => image.subarray(0, 4000),
    () => mutate(image, random),
    () => Buffer.alloc(below(random, 9)),
    () => Buffer.from(`--b\r\ncontent-type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n`),
    () => Buffer.from('\r\n--'.repeat(below(random, 300))),
  ])();
}
