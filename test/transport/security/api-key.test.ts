import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { type KeysReading, readKeyList, readKeysFile } from '../../../src/transport/security/api-key.ts';

const [adasKey, bobsKey] = ['ada-0123456789abcdef', 'bob/0123456789+bcde=='];
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

const expected: KeysReading = {
  ok: true,
  keys: [
    { digest: sha256(adasKey), caller: { name: 'ada', bulkOnly: false, weight: 1 } },
    { digest: sha256(bobsKey), caller: { name: 'bob', bulkOnly: true, weight: 30 } },
  ],
};

test('reads a file of keys with comments, tabs and any line endings', () => {
  const text = `\uFEFF# whose are they\r\n\r\nada ${adasKey}\r\n  # the nightly job\n\tbob\t${bobsKey}  weight=30 bulk \n`;
  assert.deepEqual(readKeysFile(text), expected);
});

test('reads a list of keys from an environment variable', () => {
  assert.deepEqual(readKeyList(`ada:${adasKey}, bob:${bobsKey}:bulk:weight=30`), expected);
});

for (const [text, problems] of [
  ['', ['there are no keys: write NAME KEY']],
  ['# none\n', ['there are no keys: write NAME KEY']],
  ['ada', ['line 1 has no key: write NAME KEY']],
  [`\nada ${adasKey.slice(0, 15)}`, ['line 2 has a key of 15 characters, fewer than 16']],
  [`ada ${adasKey}!`, ['line 1 has a key with characters other than A-Z a-z 0-9 . _ ~ + / - =']],
  [`a,b ${adasKey}`, ['line 1 needs a name of 1 to 64 characters from A-Z a-z 0-9 . _ -']],
  [`ada ${adasKey} quick`, ['line 1 has an attribute other than bulk and weight=N, where N is 1 to 1000']],
  [`ada ${adasKey} weight=0`, ['line 1 has an attribute other than bulk and weight=N, where N is 1 to 1000']],
  [
    `ada ${adasKey} weight=1001`,
    ['line 1 has an attribute other than bulk and weight=N, where N is 1 to 1000'],
  ],
  [`ada ${adasKey} weight=1 weight=2`, ['line 1 repeats bulk or weight']],
  [`ada ${adasKey}\nada ${bobsKey}`, ['line 2 repeats the name of line 1']],
  [`ada ${adasKey}\nbob ${adasKey}`, ['line 2 repeats the key of line 1']],
  [
    'ada short\nada\n! x',
    [
      'line 1 has a key of 5 characters, fewer than 16',
      'line 2 has no key: write NAME KEY',
      'line 2 repeats the name of line 1',
      'line 3 needs a name of 1 to 64 characters from A-Z a-z 0-9 . _ -',
      'line 3 has a key of 1 characters, fewer than 16',
    ],
  ],
] as const) {
  test(`refuses the keys file ${JSON.stringify(text)}`, () => {
    assert.deepEqual(readKeysFile(text), { ok: false, problems });
  });
}

test('refuses more than 1000 keys', () => {
  const text = Array.from({ length: 1001 }, (_, i) => `n${i} ${adasKey}${i}`).join('\n');
  assert.deepEqual(readKeysFile(text), { ok: false, problems: ['there are 1001 keys, more than 1000'] });
});

test('never quotes text that may be a key', () => {
  const word = fc.string({ minLength: 17, unit: fc.constantFrom(...Array.from('abcXYZ019._~+/-=,:!#')) });
  fc.assert(
    fc.property(fc.array(word, { maxLength: 6 }), fc.constantFrom(' ', '\n', ':', ','), (words, between) => {
      for (const read of [readKeysFile, readKeyList]) {
        const reading = JSON.stringify(read(words.join(between)));
        for (const each of words.filter((one) => !/^[\w.-]+$/.test(one))) assert.ok(!reading.includes(each));
      }
    }),
  );
});
