import { join } from 'node:path';
import { ServiceError } from '../errors.ts';
import type { Resample } from '../recipes/plan.ts';
import { JsonObject, shortJson } from './json-object.ts';
import type { Normalisation, SiglipGeometry } from './siglip.ts';

export interface Preprocessing {
  readonly normalisation: Normalisation;
  readonly resample: Resample;
}

const halves = [0.5, 0.5, 0.5];

/**
 * The vision tower's geometry from a folder's config.json, whether flat or with a vision_config. What it leaves out
 * has the default of transformers' SiglipVisionConfig. NaFlex and other architectures are refused by name.
 */
export async function readGeometry(folder: string): Promise<SiglipGeometry> {
  const missing = `config.json is missing in ${folder}; expected a Hugging Face checkpoint folder.`;
  const config = await JsonObject.read(join(folder, 'config.json'), missing);
  requireSiglip(config);
  const vision = config.has('vision_config') ? config.object('vision_config') : config;
  requireSiglip(vision, config);
  const channels = vision.integer('hidden_size', { min: 1, max: 16_384, fallback: 768 });
  const heads = vision.integer('num_attention_heads', { min: 1, max: 1_024, fallback: 12 });
  if (channels % heads !== 0)
    throw vision.fault('num_attention_heads', `a divisor of hidden_size ${channels}`);
  const imageSize = vision.integer('image_size', { min: 1, max: 4_096, fallback: 224 });
  const patchSize = vision.integer('patch_size', { min: 1, max: Math.min(imageSize, 128), fallback: 16 });
  vision.integer('num_channels', { min: 3, max: 3, fallback: 3 });
  return {
    imageSize,
    patchSize,
    channels,
    heads,
    layers: vision.integer('num_hidden_layers', { min: 1, max: 512, fallback: 12 }),
    mlpChannels: vision.integer('intermediate_size', { min: 1, max: 131_072, fallback: 3_072 }),
    epsilon: vision.positive('layer_norm_eps', 1e-6),
    activation: readActivation(vision),
  };
}

/**
 * How pixels become the tower's input, from a folder's preprocessor_config.json; what it leaves out has the default
 * of transformers' SiglipImageProcessor.
 */
export async function readPreprocessing(folder: string, imageSize: number): Promise<Preprocessing> {
  const missing = `preprocessor_config.json is missing in ${folder}; it says how pixels are resized and normalised.`;
  const config = await JsonObject.read(join(folder, 'preprocessor_config.json'), missing);
  if (config.boolean('do_center_crop', false)) {
    throw config.fault('do_center_crop', 'false, as SigLIP does not crop');
  }
  requireSize(config, imageSize);
  const rescale = config.positive('rescale_factor', 1 / 255);
  const mean = config.triple('image_mean', halves);
  const std = config.triple('image_std', halves);
  if (std.some((value) => value <= 0)) throw config.fault('image_std', 'three numbers above 0');
  const normalised = config.boolean('do_normalize', true);
  return {
    resample: readResample(config),
    normalisation: {
      rescale: config.boolean('do_rescale', true) ? rescale : 1,
      mean: normalised ? mean : [0, 0, 0],
      std: normalised ? std : [1, 1, 1],
    },
  };
}

function requireSiglip(config: JsonObject, parent?: JsonObject): void {
  const type = config.get('model_type') ?? architectureType(config) ?? (parent && 'siglip_vision_model');
  switch (type) {
    case 'siglip':
    case 'siglip_vision_model':
      return;
    case 'siglip2':
    case 'siglip2_vision_model':
      throw new ServiceError(
        'invalid_argument',
        `${config.where}: model_type ${shortJson(type)} is a NaFlex checkpoint; only fixed-resolution SigLIP and SigLIP 2 ` +
          'checkpoints (model_type siglip or siglip_vision_model) can be imported.',
      );
    case undefined:
      throw new ServiceError('invalid_argument', `${config.where}: model_type is missing; expected siglip.`);
    default:
      throw new ServiceError(
        'invalid_argument',
        `${config.where}: model_type ${shortJson(type)} is not supported; expected siglip or siglip_vision_model.`,
      );
  }
}

function architectureType(config: JsonObject): string | undefined {
  const architectures = config.get('architectures');
  const first: unknown = Array.isArray(architectures) ? architectures[0] : undefined;
  if (first === 'SiglipModel') return 'siglip';
  if (first === 'SiglipVisionModel') return 'siglip_vision_model';
  if (first === 'Siglip2Model' || first === 'Siglip2VisionModel') return 'siglip2';
  return typeof first === 'string' ? first : undefined;
}

function readActivation(vision: JsonObject): SiglipGeometry['activation'] {
  switch (vision.get('hidden_act') ?? 'gelu_pytorch_tanh') {
    case 'gelu_pytorch_tanh':
    case 'gelu_new':
      return 'gelu_tanh';
    case 'gelu':
      return 'gelu_erf';
    default:
      throw vision.fault('hidden_act', 'gelu_pytorch_tanh or gelu');
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

function requireSize(config: JsonObject, imageSize: number): void {
  const size = config.get('size');
  if (size === undefined || size === imageSize) return;
  if (typeof size === 'object') {
    const { width, height } = size as { width?: unknown; height?: unknown };
    if (width === imageSize && height === imageSize) return;
  }
  throw config.fault('size', `the image_size of config.json, ${imageSize} x ${imageSize}`);
}
