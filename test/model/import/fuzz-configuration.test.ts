import assert from 'node:assert/strict';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { readConfig, readGeometry, withImageSize } from '../../../src/model/import/checkpoint-config.ts';
import { readImageProcessor } from '../../../src/model/import/image-processor.ts';
import { temporaryFolder } from './fixtures.ts';
import { fuzzRuns, fuzzSeed, mutated, mutations, requireRefusal } from '../../support/fuzzing.ts';

const number = fc.oneof(
  fc.constantFrom(0, 1, 2, 3, 12, 14, 16, 64, 224, 4_096, 4_097, -1, 0.5, 1 / 255, 1e-45, 1e308, 2 ** 53),
  fc.double(),
);
const odd = fc.oneof(
  number,
  fc.constantFrom(null, true, false, '', '64', 'null', [], {}, [[[[]]]]),
  fc.jsonValue(),
);

/** Fields by their names: mostly of the right kind. */
function record(fields: Readonly<Record<string, fc.Arbitrary<unknown>>>): fc.Arbitrary<object> {
  const mostly = Object.entries(fields).map(
    ([name, arbitrary]) => [name, fc.oneof({ weight: 40, arbitrary }, odd)] as const,
  );
  const more = fc.dictionary(fc.string({ maxLength: 5 }), odd, { maxKeys: 2 });
  const known = fc.record(Object.fromEntries(mostly), { requiredKeys: [] });
  return fc.tuple(known, fc.option(more, { freq: 4 })).map(([own, extra]) => Object.assign(own, extra));
}

const size = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom<unknown>(64, { height: 64, width: 64 }, { shortest_edge: 64 }) },
  number,
  record({ height: number, width: number }),
  record({ shortest_edge: number }),
  number.map((side) => ({ height: side, width: side })),
  fc.array(number, { maxLength: 3 }),
);
const triple = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom<unknown>([0.5, 0.5, 0.5], 0.5) },
  fc.array(number, { minLength: 3, maxLength: 3 }),
  number,
);
const step = fc.constantFrom(true, false, null);
const className = fc.constantFrom(
  ...[
    'Siglip',
    'Siglip2',
    'CLIP',
    'ViT',
    'DeiT',
    'Llava',
    'LlavaNext',
    'LlavaOnevision',
    'Gemma3',
    'SmolVLM',
  ].map((family) => `${family}ImageProcessor`),
  'SiglipImageProcessorFast',
  'CLIPFeatureExtractor',
  'toString',
);
const processor = record({
  image_processor_type: className,
  feature_extractor_type: className,
  size,
  crop_size: size,
  pad_size: fc.option(size, { freq: 1 }),
  resample: fc.constantFrom(0, 1, 2, 3, 'bicubic', 'PIL.BILINEAR'),
  rescale_factor: fc.oneof({ weight: 9, arbitrary: fc.constant(1 / 255) }, number),
  image_mean: triple,
  image_std: triple,
  do_resize: step,
  do_center_crop: step,
  do_rescale: step,
  do_normalize: step,
  do_convert_rgb: step,
  do_pad: step,
  do_thumbnail: step,
});

/** A value of real files, or now and then any other. */
const mostly = (...values: readonly unknown[]) =>
  fc.oneof({ weight: 12, arbitrary: fc.constantFrom(...values) }, number);

const modelType = fc.constantFrom(
  'siglip',
  'siglip_vision_model',
  'clip',
  'clip_vision_model',
  'siglip2',
  'llava',
  'gemma3',
  'x',
);
const tower = {
  model_type: modelType,
  hidden_size: mostly(24, 768, 1_152),
  num_attention_heads: mostly(1, 2, 12),
  num_hidden_layers: mostly(1, 12, 27),
  intermediate_size: mostly(32, 3_072),
  image_size: mostly(64, 224, 512),
  patch_size: mostly(8, 14, 16),
  num_channels: fc.constant(3),
  layer_norm_eps: mostly(1e-6, 1e-5),
  hidden_act: fc.constantFrom('gelu', 'quick_gelu', 'gelu_pytorch_tanh', 'gelu_new', 'relu'),
};
const config = record({
  ...tower,
  architectures: fc.array(fc.constantFrom('SiglipModel', 'CLIPVisionModel', 'x'), { maxLength: 2 }),
  image_processor_type: className,
  vision_config: record(tower),
  vision_tower: record(tower),
  mm_vision_tower: fc.string(),
});

const folderOf = fc.record({
  config: fc.option(config, { freq: 9 }),
  processor: fc.option(fc.oneof(record({ image_processor: processor }), processor), { freq: 2 }),
  alone: fc.option(processor, { freq: 4 }),
  damage: fc.option(mutations, { freq: 4 }),
  imageSize: fc.option(fc.integer({ min: 1, max: 4_096 }), { nil: undefined, freq: 2 }),
  resize: fc.constantFrom(undefined, 'squash' as const, 'crop' as const),
});

test('any configuration gives a tower and its pixels, or one line that says what is wrong', async (t) => {
  const folder = await temporaryFolder(t);
  const outcomes = { taken: 0, towers: 0 };
  const read = async (
    imageSize: number | undefined,
    resize: 'squash' | 'crop' | undefined,
  ): Promise<void> => {
    const geometry = readGeometry(await readConfig(folder));
    outcomes.towers += 1;
    const { preprocessing, imageSize: side } = await readImageProcessor(folder, geometry, {
      imageSize,
      resize,
    });
    const { rescale, mean, std } = preprocessing.normalisation;
    assert.ok(Number.isInteger(side) && side >= 1 && side <= 4_096);
    assert.ok(
      [rescale, ...mean, ...std].every(Number.isFinite) && rescale > 0 && std.every((one) => one > 0),
    );
    assert.match(preprocessing.resample, /^(bilinear|bicubic|lanczos)$/);
    assert.match(preprocessing.resize, /^(squash|crop|fit-squash)$/);
    assert.equal(preprocessing.resize === 'fit-squash', preprocessing.fitSize !== undefined);
    assert.equal(withImageSize(geometry, side).imageSize, side);
    outcomes.taken += 1;
  };
  await fc.assert(
    fc.asyncProperty(
      folderOf,
      async ({ config: model, processor: nested, alone, damage, imageSize, resize }) => {
        const files = { config: model, processor_config: nested, preprocessor_config: alone };
        for (const [name, content] of Object.entries(files)) {
          const path = join(folder, `${name}.json`);
          const text = Buffer.from(JSON.stringify(content));
          if (content === null) await rm(path, { force: true });
          else await writeFile(path, damage === null ? text : mutated(text, damage));
        }
        try {
          await read(imageSize, resize);
        } catch (error) {
          requireRefusal(error);
        }
      },
    ),
    { numRuns: fuzzRuns(500), seed: fuzzSeed },
  );
  assert.ok(outcomes.towers > fuzzRuns(500) / 50 && outcomes.taken > 0, JSON.stringify(outcomes));
});
