import { below, pick, type Random, several } from './random.ts';

/** Texts that options, names and headers may hold. */
const texts: readonly string[] = [
  '',
  ' ',
  '0',
  '-0',
  '-1',
  '1',
  '1.5',
  '1e999',
  '-1e999',
  '5e-324',
  'NaN',
  'Infinity',
  '0x10',
  '00512',
  '2147483647',
  '2147483648',
  '4294967295',
  '4294967296',
  '9007199254740993',
  '18446744073709551616',
  '128',
  '128,256',
  '128,256,384,512',
  '512,1024',
  '512,512',
  '1,1',
  '1,2,3',
  '0,1',
  ','.repeat(3000),
  '9'.repeat(400),
  'x'.repeat(9000),
  '__proto__',
  'constructor',
  'toString',
  '../../etc/passwd',
  '\u0000',
  'a\u0000b',
  '\r\nx: y',
  '\ud800',
  '\u202e\u0661\u0662\u0663',
  '\uff11\uff12\uff18',
  'e\u0301'.repeat(60),
  '\u{1f600}'.repeat(50),
  '%00',
  '%',
  '{}',
  'null',
  'true',
  'sha256:',
  `sha256:${'a'.repeat(64)}`,
  `sha256:${'A'.repeat(64)}`,
  `sha256:${'a'.repeat(65)}`,
  '3x3',
  '0x0',
  '1x9',
  '37x37',
  '128x128',
  '999999x999999',
  '\u0663x3',
  'encode',
  'teacher',
  'anyres',
  'npy',
  'raw',
  'safetensors',
  'json',
  'jsonl',
  'apply',
  'ignore',
  'average',
  'concat',
  'unshuffle_concat',
  'tiles',
  'half_overlap',
  'whole',
  'torch',
  'internvl',
  'merge',
  'bilinear',
  'last_hidden_state',
  'float32',
  'float16',
  'bfloat16',
  'FLOAT32',
];

/** A text that a parser may stumble over: one of a list, mostly, or some of Unicode's first characters. */
export function anyText(random: Random): string {
  if (random() < 0.8) return pick(random, texts);
  return String.fromCharCode(...several(below(random, 40), () => below(random, 0x300)));
}

/** The same as a header may hold it: one byte a character, and nothing that ends a line. */
export function headerText(random: Random): string {
  return anyText(random)
    .replace(/[^\t\x20-\x7e\x80-\xff]/g, '?')
    .slice(0, 8000);
}

/** Percent-encoded bytes: encodeURIComponent throws for half a surrogate pair. */
export function percentEncoded(text: string): string {
  return [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
}
