import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { ViewOptions } from '../../../src/model/import/checkpoint-config.ts';
import { readImageProcessor, type ImageProcessor } from '../../../src/model/import/image-processor.ts';
import type { TowerGeometry } from '../../../src/model/tower-geometry.ts';
import { temporaryFolder } from './fixtures.ts';

const tower: TowerGeometry = {
  architecture: 'siglip',
  imageSize: 64,
  checkpointImageSize: 64,
  patchSize: 16,
  channels: 16,
  layers: 2,
  heads: 2,
  mlpChannels: 32,
  epsilon: 1e-6,
  activation: 'gelu_tanh',
};
const square = { height: 64, width: 64 };
const clip = { image_processor_type: 'CLIPImageProcessor', size: { shortest_edge: 64 }, crop_size: 64 };

async function read(
  t: TestContext,
  files: Readonly<Record<string, unknown>>,
  options: ViewOptions = {},
): Promise<ImageProcessor> {
  const folder = await temporaryFolder(t);
  for (const [name, content] of Object.entries(files)) {
    await writeFile(
      join(folder, `${name}.json`),
      typeof content === 'string' ? content : JSON.stringify(content),
    );
  }
  return readImageProcessor(folder, tower, options);
}

const alone = (fields: object) => ({ preprocessor_config: fields });

describe('an image processor', () => {
  it('is taken from processor_config.json where both files have one', async (t) => {
    const files = {
      processor_config: { image_processor: { size: square, image_mean: 0.1 } },
      preprocessor_config: { size: square, image_mean: 0.2 },
    };
    assert.deepEqual((await read(t, files)).preprocessing.normalisation.mean, [0.1, 0.1, 0.1]);
  });

  it('of Idefics3 and SmolVLM fits an image to the longest edge first, unless another way is chosen', async (t) => {
    const fields = {
      image_processor_type: 'SmolVLMImageProcessor',
      do_image_splitting: true,
      size: { longest_edge: 2048 },
      max_image_size: { longest_edge: 512 },
    };
    const { imageSize, preprocessing } = await read(t, alone(fields));
    const { resize, fitSize, resample } = preprocessing;
    assert.deepEqual([imageSize, resize, fitSize, resample], [512, 'fit-squash', 2048, 'lanczos']);
    const chosen = (await read(t, alone(fields), { resize: 'crop' })).preprocessing;
    assert.deepEqual([chosen.resize, chosen.fitSize], ['crop', undefined]);
    const usual = { ...alone({}), config: { model_type: 'idefics3' } };
    assert.deepEqual((await read(t, usual)).imageSize, 364);
  });

  it('is the same under the name of any version and backend', async (t) => {
    const files = (name: string, key = 'image_processor_type') =>
      read(t, alone({ [key]: name, size: square, crop_size: square }));
    const usual = await files('CLIPImageProcessor');
    assert.equal(usual.preprocessing.normalisation.mean[0], 0.48145466);
    for (const name of ['CLIPImageProcessorFast', 'CLIPImageProcessorPil', 'CLIPFeatureExtractor'])
      assert.deepEqual(await files(name), usual, name);
    assert.deepEqual(await files('CLIPFeatureExtractor', 'feature_extractor_type'), usual);
  });

  it('makes views of its own size, of the size that is asked for, or of the tower where it does not resize', async (t) => {
    const sizes: readonly [object, ViewOptions, number][] = [
      [{ size: 48 }, {}, 48],
      [{ size: [48, 48] }, {}, 48],
      [{ size: { height: 48, width: 48, shortest_edge: null } }, {}, 48],
      [{ size: { height: 48, width: 48 } }, {}, 48],
      [{ ...clip, size: 48, crop_size: 48 }, {}, 48],
      [{ ...clip, size: { shortest_edge: 48 }, crop_size: { height: 48, width: 48 } }, {}, 48],
      [{ size: 48 }, { imageSize: 96 }, 96],
      [{ do_resize: false, size: 48 }, {}, 64],
      [{ ...clip, size: { shortest_edge: 72 } }, { resize: 'crop' }, 64],
      [{ image_processor_type: 'DeiTImageProcessor' }, { resize: 'squash' }, 224],
      [{}, {}, 224],
    ];
    for (const [fields, options, imageSize] of sizes) {
      assert.equal((await read(t, alone(fields), options)).imageSize, imageSize, JSON.stringify(fields));
    }
  });

  it('squashes or crops as its class and its sizes say, or as the user says', async (t) => {
    const ways: readonly [object, ViewOptions, string][] = [
      [{ size: 64 }, {}, 'squash'],
      [{ size: square, do_center_crop: true, crop_size: 64 }, {}, 'squash'],
      [{ size: 64, do_center_crop: true, crop_size: 64 }, {}, 'crop'],
      [{ do_resize: false }, {}, 'squash'],
      [clip, {}, 'crop'],
      [{ ...clip, do_center_crop: false, size: square }, {}, 'squash'],
      [{ ...clip, image_processor_type: 'LlavaNextImageProcessorFast' }, {}, 'squash'],
      [{ ...clip, image_processor_type: 'LlavaNextImageProcessor', do_resize: false }, {}, 'squash'],
      [{ ...clip, image_processor_type: 'LlavaImageProcessor', do_pad: true }, { resize: 'crop' }, 'crop'],
      [{ ...clip, size: { shortest_edge: 72 } }, { resize: 'squash' }, 'squash'],
      [{ ...clip, do_resize: false }, { resize: 'crop' }, 'crop'],
      [clip, { resize: 'squash' }, 'squash'],
      [{ size: square }, { resize: 'crop' }, 'crop'],
    ];
    for (const [fields, options, resize] of ways) {
      const { preprocessing } = await read(t, alone(fields), options);
      assert.equal(preprocessing.resize, resize, JSON.stringify(fields));
    }
  });

  it('names its filter by number or by name', async (t) => {
    const names = {
      bilinear: [2, 'bilinear', 'BILINEAR', 'PILImageResampling.BILINEAR'],
      bicubic: [3, 'bicubic'],
    };
    for (const [filter, values] of Object.entries(names)) {
      for (const resample of values) {
        assert.equal((await read(t, alone({ size: 64, resample }))).preprocessing.resample, filter);
      }
    }
  });
});

describe('an image processor is refused by name', () => {
  const nested = (value: unknown) => ({ processor_config: { image_processor: value } });
  const choose = /, or choose with --resize squash or crop/.source;
  const cases: readonly [string, Readonly<Record<string, unknown>>, RegExp][] = [
    [
      'when there is none',
      {},
      /^preprocessor_config\.json is missing in .*, and so is processor_config\.json with an image_processor/,
    ],
    [
      'when a processor has none',
      { processor_config: { image_processor: null } },
      /^preprocessor_config\.json is missing/,
    ],
    ['when it is no object', nested([]), /^processor_config\.json: image_processor is not a JSON object\.$/],
    ['when its file is no JSON', { processor_config: '{' }, /^processor_config\.json is not valid JSON\.$/],
    [
      'when its file nests too deep to show',
      { preprocessor_config: `{"size":${'['.repeat(9_999)}${']'.repeat(9_999)}}` },
      /size must be a square .*, not \[\[\["\.\.\."\]\]\]/,
    ],
    [
      'for its class',
      nested({ image_processor_type: 'SamImageProcessor' }),
      /image_processor: image_processor_type "SamImageProcessor" is not supported; expected one of SiglipImageProcessor,/,
    ],
    [
      'for a class that is a name of JavaScript',
      alone({ image_processor_type: 'constructor' }),
      /"constructor" is not supported/,
    ],
    [
      'for a class of NaFlex',
      alone({ image_processor_type: 'Siglip2ImageProcessorFast' }),
      /"Siglip2ImageProcessorFast" makes views of no fixed size, for NaFlex/,
    ],
    [
      'for sides that it fits an image to',
      alone({ image_processor_type: 'SmolVLMImageProcessor', size: { shortest_edge: 512 } }),
      /size: longest_edge must be a whole number/,
    ],
    [
      'for a class that is no text',
      alone({ image_processor_type: 7 }),
      /image_processor_type must be a string, not 7/,
    ],
    ['for an old class that is no text', alone({ feature_extractor_type: {} }), /must be a string/],
    [
      'for a step that Encode does not have',
      alone({ do_flip_channel_order: true }),
      /do_flip_channel_order must be false, since Encode has no such step, not true/,
    ],
    [
      'for a step that is neither true nor false',
      alone({ do_convert_rgb: 'yes' }),
      /do_convert_rgb must be true or false, not "yes"/,
    ],
    [
      'for padding to a square',
      alone({ ...clip, image_processor_type: 'LlavaImageProcessor', do_pad: true }),
      new RegExp(`do_pad must be false${choose}`),
    ],
    [
      'for padding to a size',
      alone({ size: 64, do_pad: true, pad_size: square }),
      new RegExp(`do_pad must be false${choose}`),
    ],
    [
      'for a crop without a resize',
      alone({ ...clip, do_resize: false }),
      new RegExp(`do_resize must be true where do_center_crop is${choose}`),
    ],
    [
      'for a crop smaller than the image',
      alone({ ...clip, size: { shortest_edge: 72 } }),
      new RegExp(`crop_size must be as large as size, 72 x 72${choose}.*, not 64`),
    ],
    [
      'for tiles larger than the image',
      alone({ ...clip, image_processor_type: 'LlavaNextImageProcessor', crop_size: 72 }),
      /crop_size must be as large as size, 64 x 64/,
    ],
    [
      'for a shorter edge without a crop',
      alone({ size: { shortest_edge: 64 } }),
      new RegExp(`size must be a square, or do_center_crop true${choose}`),
    ],
    [
      'for a size that is no square',
      alone({ size: { height: 64, width: 32 } }),
      /size must be a square of 1 to 4096 pixels, or its shortest_edge, not {"height":64,"width":32}/,
    ],
    ['for a size of two numbers', alone({ size: [64, 32] }), /size must be a square .* not \[64,32\]/],
    ['for a size of one number in a list', alone({ size: [64] }), /size must be a square/],
    ['for a longest edge', alone({ size: { longest_edge: 64 } }), /size must be a square/],
    ['for two edges', alone({ size: { shortest_edge: 64, longest_edge: 64 } }), /size must be a square/],
    ['for a size of text', alone({ size: '64' }), /size must be a square/],
    ['for a size of 0', alone({ size: 0 }), /size must be a square/],
    ['for a size beyond 4096', alone({ size: { height: 4097, width: 4097 } }), /size must be a square/],
    [
      'for a crop by its shortest edge',
      alone({ ...clip, crop_size: { shortest_edge: 64 } }),
      /crop_size must be a square of 1 to 4096 pixels, not/,
    ],
    [
      'for another filter',
      alone({ size: 64, resample: 4 }),
      /resample must be 1 \(lanczos\), 2 \(bilinear\) or 3 \(bicubic\), not 4/,
    ],
    [
      "for another filter's name",
      alone({ size: 64, resample: 'hamming' }),
      /resample must be 1 .* not "hamming"/,
    ],
    [
      'for two means',
      alone({ size: 64, image_mean: [0.5, 0.5] }),
      /image_mean must be a list of three numbers/,
    ],
    ['for a deviation of 0', alone({ size: 64, image_std: 0 }), /image_std must be numbers above 0, not 0/],
    [
      'for a rescale_factor of 0',
      alone({ size: 64, rescale_factor: 0 }),
      /rescale_factor must be a number above 0/,
    ],
  ];
  for (const [what, files, message] of cases) {
    it(what, async (t) => {
      await assert.rejects(read(t, files), { code: 'invalid_argument', message });
    });
  }
});
