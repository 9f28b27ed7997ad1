import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ServiceError } from '../../src/errors/service-error.ts';
import {
  parseOptions,
  requestOptions,
  type OptionRecord,
  type RequestOption,
} from '../../src/transport/request-options.ts';
import { anyresDefaults } from '../../src/recipes/anyres.ts';
import type { RecipeOptions } from '../../src/recipes/recipe-options.ts';

type RecipeName = RecipeOptions['recipe'];

const digest = `sha256:${'0123456789abcdef'.repeat(4)}`;
const recipeNames: readonly RecipeName[] = ['encode', 'teacher', 'anyres'];
const everyOption = recipeNames.flatMap((recipe) =>
  requestOptions[recipe].map((option): [RecipeName, RequestOption] => [recipe, option]),
);

function refusal(recipe: RecipeName, record: OptionRecord): ServiceError {
  let refused: unknown;
  try {
    parseOptions(recipe, record);
  } catch (thrown) {
    refused = thrown;
  }
  assert.ok(refused instanceof ServiceError, JSON.stringify(record));
  assert.equal(refused.code, 'invalid_argument');
  return refused;
}

test('fills in the defaults, and leaves those of AnyRes to the model', () => {
  const options = { output: 'features', dtype: 'float16', exif: 'apply' };
  const expected = {
    encode: { recipe: 'encode' },
    teacher: { recipe: 'teacher', fusion: 'average', windows: 'tiles' },
    anyres: { recipe: 'anyres' },
  };
  for (const recipe of recipeNames)
    for (const record of [{}, { model: undefined, dtype: undefined }])
      assert.deepEqual(parseOptions(recipe, record), { recipe: expected[recipe], options });
});

test('reads every hidden state by every name, once each', () => {
  for (const name of ['features', 'expect_features']) {
    const { options } = parseOptions('encode', { [name]: '-2,-3' });
    const read = name === 'features' ? options.features : options.expectFeatures;
    assert.deepEqual(read, ['penultimate', '-3']);
    const twice = refusal('encode', { [name]: '-2,penultimate' });
    assert.match(
      twice.message,
      new RegExp(`^Option ${name} is "-2,penultimate", which names a hidden state twice`),
    );
  }
});

test('reads every option by its name on the wire', () => {
  const common = {
    model: 'hd',
    expect_digest: digest,
    expect_features: 'penultimate',
    output: 'embeddings',
    expect_projector_digest: digest,
    dtype: 'bfloat16',
    exif: 'ignore',
  };
  const options = {
    model: 'hd',
    expectDigest: digest,
    expectFeatures: ['penultimate'],
    expectProjectorDigest: digest,
    output: 'embeddings',
    dtype: 'bfloat16',
    exif: 'ignore',
  };
  assert.deepEqual(parseOptions('encode', common), { recipe: { recipe: 'encode' }, options });
  const teacher = {
    scales: '512,1024,1536',
    weights: '1e0,2.5,.25',
    fusion: 'unshuffle_concat',
    windows: 'half_overlap',
    channel_order: 'internvl',
    grid: '37x24',
  };
  assert.deepEqual(parseOptions('teacher', { ...common, ...teacher }), {
    recipe: {
      recipe: 'teacher',
      scales: [512, 1024, 1536],
      weights: [1, 2.5, 0.25],
      fusion: 'unshuffle_concat',
      windows: 'half_overlap',
      channelOrder: 'internvl',
      grid: { width: 37, height: 24 },
    },
    options,
  });
  const anyres = { max_grid: '2x3', max_tiles: '0', assembly: 'tiles', resample: 'bilinear' };
  assert.deepEqual(parseOptions('anyres', { ...common, ...anyres }), {
    recipe: {
      recipe: 'anyres',
      maxGrid: { columns: 2, rows: 3 },
      maxTiles: 0,
      assembly: 'tiles',
      resample: 'bilinear',
    },
    options,
  });
});

test('refuses an unknown option by name and lists the options of the recipe', () => {
  for (const recipe of recipeNames) {
    const { message } = refusal(recipe, { dtpye: 'float32' });
    assert.match(message, /"dtpye"/);
    for (const { name } of requestOptions[recipe]) assert.ok(message.includes(name));
  }
});

test('says which recipe has the option, where it is not of this one', () => {
  for (const [recipe, name, owner] of [
    ['encode', 'grid', '/v1/teacher-encode, not of /v1/encode'],
    ['teacher', 'max_grid', '/v1/anyres-encode, not of /v1/teacher-encode'],
    ['anyres', 'fusion', '/v1/teacher-encode, not of /v1/anyres-encode'],
  ] as const) {
    const { message } = refusal(recipe, { [name]: '1x1' });
    assert.ok(message.startsWith(`"${name}" is an option of ${owner}.`), message);
  }
});

test('suggests the option whose name is nearly the one that was given', () => {
  assert.match(refusal('encode', { dtpye: 'float32' }).message, /Did you mean "dtype"\?/);
  assert.match(refusal('teacher', { expect_feature: 'pre_norm' }).message, /"expect_features"\?/);
  assert.doesNotMatch(refusal('encode', { colour: 'red' }).message, /Did you mean/);
});

test('refuses an unknown value and lists the known ones', () => {
  for (const [recipe, { name, values }] of everyOption) {
    if (values === undefined) continue;
    const { message } = refusal(recipe, { [name]: 'sideways' });
    assert.ok(message.includes(name) && message.includes('"sideways"'));
    for (const value of values) assert.ok(message.includes(value));
  }
});

const unfit: readonly [RecipeName, name: string, values: readonly string[]][] = [
  ['encode', 'expect_digest', [digest.slice(0, 20), digest.toUpperCase(), digest.slice(7), `${digest}\n`]],
  ['encode', 'model', ['']],
  ['teacher', 'scales', ['', '512,', ',512', '512, 1024', '5e2', '-512', '512.5', '123456']],
  ['teacher', 'weights', ['', '1,', '-1', '+1', '.', '1e', '1e999', '0x1', 'NaN', 'Infinity']],
  ['teacher', 'grid', ['', '37', '37x', '37X37', '37x37x37', '100000x1', '-1x1']],
  ['anyres', 'max_grid', ['', '0x1', '4x1', '3', '3x3x3', ' 3x3']],
  ['anyres', 'max_tiles', ['', '-1', '1.5', '100']],
];
for (const [recipe, name, values] of unfit)
  test(`refuses a malformed ${name} and says what it must be`, () => {
    const { form } = requestOptions[recipe].find((option) => option.name === name)!;
    for (const value of values) {
      const { message } = refusal(recipe, { [name]: value });
      assert.ok(message.startsWith(`Option ${name} is `) && message.includes(form!), message);
    }
  });

test('accepts every value that the option table lists', () => {
  for (const [recipe, { name, values = [] }] of everyOption)
    for (const value of values) {
      const parsed = parseOptions(recipe, { [name]: value });
      const kept = Object.values({ ...parsed.options, ...parsed.recipe });
      // A flag is kept as true, or left out.
      const isKept = ['true', 'false'].includes(value)
        ? kept.includes(true) === (value === 'true')
        : kept.includes(value);
      assert.ok(isKept, `${recipe} ${name}=${value}`);
    }
});

test('reads hidden states with one name each, and refuses one that is named twice', () => {
  const of = (features: string) => parseOptions('teacher', { features }).options.features;
  assert.deepEqual(of('-3'), ['-3']);
  assert.deepEqual(of('-2,-1,-5'), ['penultimate', 'pre_norm', '-5']);
  for (const features of ['-3,-3', 'penultimate,-2']) {
    assert.throws(() => of(features), {
      code: 'invalid_argument',
      message: /which names a hidden state twice/,
    });
  }
  for (const features of ['', '3', '-0', '-3,', 'last']) {
    assert.throws(() => of(features), {
      code: 'invalid_argument',
      message: /^Option features is .*; it must be /,
    });
  }
});

test('refuses hidden states and a class token of a pooled vector, and a class token of embeddings', () => {
  const refused: readonly [OptionRecord, RegExp][] = [
    [{ output: 'pooled', features: '-3' }, /leave features out, or use output=features\.$/],
    [{ output: 'pooled', class_token: 'true' }, /leave class_token out, or use output=features\.$/],
    [{ output: 'embeddings', class_token: 'true' }, /leave class_token out, or use output=features\.$/],
  ];
  for (const [record, message] of refused) {
    assert.throws(() => parseOptions('encode', record), { code: 'invalid_argument', message });
  }
  assert.equal(parseOptions('encode', { output: 'pooled', class_token: 'false' }).options.output, 'pooled');
});

test('the option table states the defaults that absent options get', () => {
  for (const recipe of recipeNames) {
    const stated = requestOptions[recipe].flatMap((option: RequestOption) =>
      option.default === undefined ? [] : [[option.name, option.default]],
    );
    const record = Object.fromEntries(stated) as OptionRecord;
    const standard = recipe === 'anyres' ? anyresDefaults : {};
    const { recipe: filled, options } = parseOptions(recipe, {});
    assert.deepEqual(parseOptions(recipe, record), { recipe: { ...standard, ...filled }, options });
  }
});

test('every option has either values or a pattern with a description', () => {
  for (const [, { name, values, pattern, form, description }] of everyOption) {
    assert.notEqual(values === undefined, pattern === undefined, name);
    assert.equal(pattern === undefined, form === undefined, name);
    assert.match(description, /\.$/, name);
  }
});

test('parses any record or refuses it with invalid_argument in a short sentence', () => {
  const names = [...new Set(everyOption.map(([, { name }]) => name))];
  const key = fc.oneof(fc.constantFrom(...names), fc.string());
  fc.assert(
    fc.property(fc.constantFrom(...recipeNames), fc.dictionary(key, fc.string()), (recipe, record) => {
      try {
        parseOptions(recipe, record);
      } catch (thrown) {
        assert.ok(thrown instanceof ServiceError);
        assert.equal(thrown.code, 'invalid_argument');
        assert.ok(thrown.message.length < 400, thrown.message);
      }
    }),
  );
});

test("an unknown option is refused with a list that starts with the transport's own options", () => {
  assert.throws(() => parseOptions('encode', { size: '9' }, ['format']), {
    code: 'invalid_argument',
    message:
      'Unknown option "size". The options are format, model, expect_digest, expect_features, features, output, expect_projector_digest, dtype, exif, class_token.',
  });
});
