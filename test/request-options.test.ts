import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ServiceError } from '../src/errors.ts';
import { encodeOptionNames, encodeOptionTable, parseEncodeOptions } from '../src/request-options.ts';

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;

function refusal(record: Record<string, string | undefined>): ServiceError {
  let refused: unknown;
  try {
    parseEncodeOptions(record);
  } catch (thrown) {
    refused = thrown;
  }
  assert.ok(refused instanceof ServiceError);
  assert.equal(refused.code, 'invalid_argument');
  return refused;
}

test('fills in the defaults and leaves out what was not asked', () => {
  assert.deepEqual(parseEncodeOptions({}), { dtype: 'float16', exif: 'apply' });
  assert.deepEqual(parseEncodeOptions({ model: undefined, dtype: undefined }), {
    dtype: 'float16',
    exif: 'apply',
  });
});

test('reads every option from its wire name', () => {
  const options = parseEncodeOptions({
    model: 'hd',
    expect_digest: digest,
    expect_features: 'penultimate',
    dtype: 'bfloat16',
    exif: 'ignore',
  });
  assert.deepEqual(options, {
    model: 'hd',
    expectDigest: digest,
    expectFeatures: 'penultimate',
    dtype: 'bfloat16',
    exif: 'ignore',
  });
});

test('names an unknown option and lists the known ones', () => {
  const { message } = refusal({ dtpye: 'float32' });
  assert.match(message, /"dtpye"/);
  for (const name of encodeOptionNames) assert.ok(message.includes(name));
});

test('names an unknown value and lists the known ones', () => {
  for (const option of encodeOptionTable) {
    if (!('values' in option)) continue;
    const { message } = refusal({ [option.name]: 'sideways' });
    assert.ok(message.includes(option.name) && message.includes('"sideways"'));
    for (const value of option.values) assert.ok(message.includes(value));
  }
});

test('accepts no prefix, no upper case and no bare hexadecimal as a digest', () => {
  for (const value of [
    digest.slice(0, 20),
    digest.toUpperCase(),
    digest.slice(7),
    `${digest}0`,
    `${digest}\n`,
  ])
    assert.match(refusal({ expect_digest: value }).message, /sha256/);
});

test('refuses an empty model name', () => {
  assert.match(refusal({ model: '' }).message, /model/);
});

test('accepts every value that the option table lists', () => {
  for (const option of encodeOptionTable) {
    if (!('values' in option)) continue;
    for (const value of option.values)
      assert.ok(Object.values(parseEncodeOptions({ [option.name]: value })).some((kept) => kept === value));
  }
});

test('the option table states the defaults that the parser gives', () => {
  const stated = encodeOptionTable.flatMap((option) =>
    'default' in option ? [[option.name, option.default]] : [],
  );
  assert.deepEqual(Object.fromEntries(stated), parseEncodeOptions({}));
});

test('gives options or invalid_argument for any record', () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.string()), (record) => {
      const known = Object.keys(record).every((name) => encodeOptionNames.some((option) => option === name));
      if (known) return;
      assert.ok(refusal(record).message.length < 300);
    }),
  );
});
