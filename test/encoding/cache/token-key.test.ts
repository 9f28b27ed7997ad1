import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tokenKey, type TokenKeyParts, tokenUuid } from '../../../src/encoding/cache/token-key.ts';
import { anyresDefaults } from '../../../src/recipes/anyres.ts';
import { teacherDefaults } from '../../../src/recipes/teacher.ts';
import { gatedModel, largerModel } from '../../support/gated-encoder.ts';

const plain: TokenKeyParts = {
  image: `sha256:${'1'.repeat(64)}`,
  model: gatedModel,
  models: [gatedModel],
  recipe: { recipe: 'encode' },
  options: { dtype: 'float16', exif: 'apply' },
  owner: undefined,
};

const embeddings = { output: 'embeddings', dtype: 'float16', exif: 'apply' } as const;
const projector = {
  family: 'llava',
  digest: 'sha256:1',
  hiddenSize: 4,
  grid: { width: 1, height: 1 },
  anyGrid: true,
  newline: false,
};

test('differs with everything that the tokens depend on, and with their owner', () => {
  const teacher = { recipe: 'teacher', ...teacherDefaults } as const;
  const others: readonly Partial<TokenKeyParts>[] = [
    {},
    { image: `sha256:${'2'.repeat(64)}` },
    { model: { ...gatedModel, digest: 'sha256:other' } },
    { recipe: teacher },
    { recipe: { ...teacher, scales: [8] } },
    { recipe: { ...teacher, weights: [1, 2] } },
    { recipe: { ...teacher, windows: 'whole' } },
    { recipe: { ...teacher, windows: 'whole' }, models: [gatedModel, largerModel] },
    { recipe: { recipe: 'anyres', ...anyresDefaults } },
    { recipe: { recipe: 'anyres', ...anyresDefaults, maxTiles: 3 } },
    { options: { dtype: 'float32', exif: 'apply' } },
    { options: { dtype: 'float16', exif: 'ignore' } },
    { options: embeddings },
    { options: embeddings, model: { ...gatedModel, projector } },
    { options: embeddings, model: { ...gatedModel, projector: { ...projector, digest: 'sha256:2' } } },
    { options: { ...plain.options, output: 'pooled' } },
    { options: { ...plain.options, features: ['-3'] } },
    { options: { ...plain.options, features: ['penultimate', '-3'] } },
    { options: { ...plain.options, features: ['-3', 'penultimate'] } },
    { recipe: { recipe: 'encode', classToken: true } },
    { owner: 'a' },
    { owner: 'b' },
  ];
  const keys = others.map((other) => tokenKey({ ...plain, ...other }));
  assert.equal(new Set(keys).size, others.length);
});

test("does not depend on the order of options or the model's name", () => {
  const { fusion, windows } = teacherDefaults;
  const one = tokenKey({ ...plain, recipe: { recipe: 'teacher', fusion, windows, scales: [8] } });
  const other = tokenKey({
    ...plain,
    model: { ...gatedModel, name: 'another' },
    models: [gatedModel, largerModel],
    recipe: { scales: [8], windows, fusion, recipe: 'teacher' },
    options: { dtype: 'float16', exif: 'apply', model: 'another', expectDigest: gatedModel.digest },
  });
  assert.equal(one, other);
});

test('the uuid of tokens differs with everything that they depend on, and not with their owner', () => {
  const uuids = [plain, { ...plain, owner: 'a' }, { ...plain, image: 'sha256:3' }].map(tokenUuid);
  assert.match(uuids[0]!, /^[0-9a-f]{64}$/);
  assert.equal(uuids[1], uuids[0]);
  assert.notEqual(uuids[2], uuids[0]);
});
