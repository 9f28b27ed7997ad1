import { join } from 'node:path';
import { ServiceError } from '../../errors/service-error.ts';
import type { Resample, Resize } from '../../recipes/plan.ts';
import { JsonObject, shortJson } from '../json-object.ts';
import type { Architecture, Normalisation, TowerGeometry } from '../tower-geometry.ts';

export interface Preprocessing {
  readonly normalisation: Normalisation;
  readonly resample: Resample;
  /** How an image of any shape becomes a view in Encode. */
  readonly resize: Resize;
}

/** What a config.json or preprocessor_config.json leaves out, as transformers' classes have it. */
const defaults = {
  siglip: {
    imageSize: 224,
    patchSize: 16,
    epsilon: 1e-6,
    activation: 'gelu_pytorch_tanh',
    mean: [0.5, 0.5, 0.5],
    std: [0.5, 0.5, 0.5],
    crop: false,
  },
  clip: {
    imageSize: 224,
    patchSize: 32,
    epsilon: 1e-5,
    activation: 'quick_gelu',
    mean: [0.48145466, 0.4578275, 0.40821073],
    std: [0.26862954, 0.26130258, 0.27577711],
    crop: true,
  },
} as const;

/** What the user may choose otherwise than the checkpoint. */
export interface ViewOptions {
  /** Side of a view; the checkpoint's own when absent. */
  readonly imageSize?: number | undefined;
  /** The checkpoint's own when absent. */
  readonly resize?: Resize | undefined;
}

/**
 * The vision tower's geometry from a folder's config.json, whether flat or with a vision_config. What it leaves out
 * has the default of transformers' SiglipVisionConfig or CLIPVisionConfig. NaFlex and other architectures are refused
 * by name.
 */
export async function readGeometry(folder: string, options: ViewOptions = {}): Promise<TowerGeometry> {
  const missing = `config.json is missing in ${folder}; expected a Hugging Face checkpoint folder.`;
  const config = await JsonObject.read(join(folder, 'config.json'), missing);
  const outer = architectureOf(config);
  const vision = config.has('vision_config') ? config.object('vision_config') : config;
  const architecture = architectureOf(vision, outer);
  const usual = defaults[architecture];
  const channels = vision.integer('hidden_size', { min: 1, max: 16_384, fallback: 768 });
  const heads = vision.integer('num_attention_heads', { min: 1, max: 1_024, fallback: 12 });
  if (channels % heads !== 0)
    throw vision.fault('num_attention_heads', `a divisor of hidden_size ${channels}`);
  const checkpointImageSize = vision.integer('image_size', { min: 1, max: 4_096, fallback: usual.imageSize });
  const patchSize = vision.integer('patch_size', {
    min: 1,
    max: Math.min(checkpointImageSize, 128),
    fallback: usual.patchSize,
  });
  const { imageSize = checkpointImageSize } = options;
  if (imageSize < patchSize) {
    throw new ServiceError(
      'invalid_argument',
      `The image size ${imageSize} is smaller than one patch of this model, ${patchSize} x ${patchSize} pixels.`,
    );
  }
  vision.integer('num_channels', { min: 3, max: 3, fallback: 3 });
  return {
    architecture,
    imageSize,
    checkpointImageSize,
    patchSize,
    channels,
    heads,
    layers: vision.integer('num_hidden_layers', { min: 1, max: 512, fallback: 12 }),
    mlpChannels: vision.integer('intermediate_size', { min: 1, max: 131_072, fallback: 3_072 }),
    epsilon: vision.positive('layer_norm_eps', usual.epsilon),
    activation: readActivation(vision, usual.activation),
  };
}

/**
 * How pixels become the tower's input, from a folder's preprocessor_config.json; what it leaves out has the default
 * of transformers' SiglipImageProcessor or CLIPImageProcessor.
 */
export async function readPreprocessing(
  folder: string,
  { architecture, imageSize, checkpointImageSize = imageSize }: TowerGeometry,
  options: ViewOptions = {},
): Promise<Preprocessing> {
  const missing = `preprocessor_config.json is missing in ${folder}; it says how pixels are resized and normalised.`;
  const config = await JsonObject.read(join(folder, 'preprocessor_config.json'), missing);
  const usual = defaults[architecture];
  const { resize = readResize(config, checkpointImageSize, usual.crop) } = options;
  const rescale = config.positive('rescale_factor', 1 / 255);
  const mean = config.triple('image_mean', usual.mean);
  const std = config.triple('image_std', usual.std);
  if (std.some((value) => value <= 0)) throw config.fault('image_std', 'three numbers above 0');
  const normalised = config.boolean('do_normalize', true);
  return {
    resize,
    resample: readResample(config),
    normalisation: {
      rescale: config.boolean('do_rescale', true) ? rescale : 1,
      mean: normalised ? mean : [0, 0, 0],
      std: normalised ? std : [1, 1, 1],
    },
  };
}

/** The family of a config; of a vision_config that does not name it, that of the config around it. */
function architectureOf(config: JsonObject, outer?: Architecture): Architecture {
  const type = config.get('model_type') ?? architectureType(config) ?? outer;
  switch (type) {
    case 'siglip':
    case 'siglip_vision_model':
      return 'siglip';
    case 'clip':
    case 'clip_vision_model':
      return 'clip';
    case 'siglip2':
    case 'siglip2_vision_model':
      throw new ServiceError(
        'invalid_argument',
        `${config.where}: model_type ${shortJson(type)} is a NaFlex checkpoint; only fixed-resolution SigLIP and SigLIP 2 ` +
          'checkpoints (model_type siglip or siglip_vision_model) can be imported.',
      );
    case undefined:
      throw new ServiceError(
        'invalid_argument',
        `${config.where}: model_type is missing; expected siglip or clip.`,
      );
    default:
      throw new ServiceError(
        'invalid_argument',
        `${config.where}: model_type ${shortJson(type)} is not supported; expected siglip, siglip_vision_model, clip or ` +
          'clip_vision_model.',
      );
  }
}

const classes: ReadonlyMap<unknown, string> = new Map([
  ['SiglipModel', 'siglip'],
  ['SiglipVisionModel', 'siglip'],
  ['Siglip2Model', 'siglip2'],
  ['Siglip2VisionModel', 'siglip2'],
  ['CLIPModel', 'clip'],
  ['CLIPVisionModel', 'clip'],
  ['CLIPVisionModelWithProjection', 'clip'],
]);

function architectureType(config: JsonObject): string | undefined {
  const architectures = config.get('architectures');
  const first: unknown = Array.isArray(architectures) ? architectures[0] : undefined;
  return classes.get(first) ?? (typeof first === 'string' ? first : undefined);
}

function readActivation(vision: JsonObject, usual: string): TowerGeometry['activation'] {
  switch (vision.get('hidden_act') ?? usual) {
    case 'gelu_pytorch_tanh':
    case 'gelu_new':
      return 'gelu_tanh';
    case 'gelu':
      return 'gelu_erf';
    case 'quick_gelu':
      return 'quick_gelu';
    default:
      throw vision.fault('hidden_act', 'gelu_pytorch_tanh, gelu or quick_gelu');
  }
}

/** PIL's numbers of filters; the class's own default is bicubic. */
function readResample(config: JsonObject): Resample {
  switch (config.get('resample') ?? 3) {
    case 2:
      return 'bilinear';
    case 3:
      return 'bicubic';
    default:
      throw config.fault('resample', '2 (bilinear) or 3 (bicubic)');
  }
}

/** Squash where the size is a square; crop where it is that of the shortest edge, and a square is cut of it. */
function readResize(config: JsonObject, imageSize: number, cropUsual: boolean): Resize {
  const size = config.get('size') ?? (cropUsual ? { shortest_edge: imageSize } : imageSize);
  const isCropped = config.boolean('do_center_crop', cropUsual);
  if (isCropped && !isSquare(config.get('crop_size') ?? imageSize, imageSize)) {
    throw config.fault('crop_size', `the image_size of config.json, ${imageSize} x ${imageSize}`);
  }
  const edge = typeof size === 'object' ? (size as { shortest_edge?: unknown }).shortest_edge : undefined;
  if (isCropped && (edge === imageSize || size === imageSize)) return 'crop';
  if (edge === undefined && isSquare(size, imageSize)) return 'squash';
  throw config.fault('size', `the image_size of config.json, ${imageSize} x ${imageSize}`);
}

function isSquare(size: unknown, side: number): boolean {
  if (typeof size !== 'object' || size === null) return size === side;
  const { width, height } = size as { width?: unknown; height?: unknown };
  return width === side && height === side;
}
