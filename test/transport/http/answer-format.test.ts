import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ServiceError } from '../../../src/errors/service-error.ts';
import { answerFormats, chooseFormat } from '../../../src/transport/http/answer-format.ts';

const cases: [string | undefined, string][] = [
  [undefined, 'npy'],
  ['', 'npy'],
  ['*/*', 'npy'],
  ['application/*', 'npy'],
  ['nonsense', 'npy'],
  ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', 'npy'],
  ['application/json, text/plain, */*', 'json'],
  ['application/json', 'json'],
  ['APPLICATION/JSON ; Q=1', 'json'],
  ['application/octet-stream', 'raw'],
  ['application/x-safetensors', 'safetensors'],
  ['application/safetensors', 'safetensors'],
  ['application/jsonl', 'jsonl'],
  ['application/x-ndjson, application/json;q=0.9', 'jsonl'],
  ['application/npy, application/json', 'npy'],
  ['application/json;q=0.5, application/octet-stream;q=0.6', 'raw'],
  ['application/x-npy;q=0, */*', 'raw'],
  ['application/x-npy;q=0, application/octet-stream;q=0, */*;q=0.1', 'safetensors'],
];

for (const [accept, format] of cases) {
  test(`answers ${format} to Accept ${JSON.stringify(accept)}`, () => {
    assert.equal(chooseFormat(undefined, accept), format);
  });
}

for (const accept of ['text/html', 'image/*', '*/*;q=0', 'application/json;q=0']) {
  test(`refuses Accept ${accept}`, () => {
    assert.throws(() => chooseFormat(undefined, accept), { code: 'not_acceptable' });
  });
}

test('lets format go before Accept', () => {
  assert.equal(chooseFormat('json', 'text/html'), 'json');
  assert.equal(chooseFormat('jsonl', 'text/html'), 'jsonl');
});

test('gives a format or not_acceptable for any header at all', () => {
  const pieces = [
    'application/',
    '*/*',
    'json',
    'x-npy',
    ';',
    ',',
    'q=',
    '0.5',
    '1',
    '0',
    '=',
    '"',
    ' ',
    '/',
    '*',
    '\t',
    'é',
  ];
  const header = fc.oneof(
    fc.string(),
    fc.array(fc.constantFrom(...pieces)).map((list) => list.join('')),
  );
  fc.assert(
    fc.property(header, (accept) => {
      try {
        assert.ok(answerFormats.includes(chooseFormat(undefined, accept)));
      } catch (error) {
        assert.ok(error instanceof ServiceError && error.code === 'not_acceptable');
      }
    }),
    { seed: 3, numRuns: 2000 },
  );
});
