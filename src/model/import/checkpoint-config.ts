import { join } from 'node:path';
import { invalidArgument } from '../../errors/invalid-argument.ts';
import type { ServiceError } from '../../errors/service-error.ts';
import type { Resize } from '../../recipes/plan.ts';
import { JsonObject, shortJson } from '../json-object.ts';
import type { Architecture, TowerGeometry } from '../tower-geometry.ts';

interface Defaults {
  readonly architecture: Architecture;
  readonly channels: number;
  readonly heads: number;
  readonly patchSize: number;
  readonly epsilon: number;
  readonly activation: string;
}

const base = { channels: 768, heads: 12 } as const;
const siglipLike = { architecture: 'siglip', epsilon: 1e-6, activation: 'gelu_pytorch_tanh' } as const;

/** Defaults of transformers' SiglipVisionConfig, CLIPVisionConfig and Idefics3VisionConfig. */
const siglip: Defaults = { ...base, ...siglipLike, patchSize: 16 };
const clip: Defaults = {
  ...base,
  architecture: 'clip',
  patchSize: 32,
  epsilon: 1e-5,
  activation: 'quick_gelu',
};
const idefics3: Defaults = { ...siglipLike, channels: 1152, heads: 16, patchSize: 32 };

/** model_type of a tower, and of a model whose vision_config describes it. */
const towerTypes: ReadonlyMap<unknown, Defaults> = new Map([
  ['siglip', siglip],
  ['siglip_vision_model', siglip],
  ['clip', clip],
  ['clip_vision_model', clip],
  ['idefics3', idefics3],
  ['idefics3_vision', idefics3],
  ['smolvlm', idefics3],
  ['smolvlm_vision', idefics3],
]);

/** model_type of NaFlex checkpoints, whose views have no fixed size. */
const naflexTypes: ReadonlySet<unknown> = new Set(['siglip2', 'siglip2_vision_model']);

/** The tower of a larger model whose vision_config leaves model_type out, as transformers' class has it. */
const defaultTowers: ReadonlyMap<unknown, Defaults> = new Map([
  ...towerTypes,
  ['llava', clip],
  ['llava_next', clip],
  ['llava_next_video', clip],
  ['video_llava', clip],
  ['vipllava', clip],
  ['llava_onevision', siglip],
  ['paligemma', siglip],
  ['gemma3', siglip],
]);

/** First of `architectures`, where model_type is left out. */
const modelClasses: ReadonlyMap<unknown, string> = new Map([
  ['SiglipModel', 'siglip'],
  ['SiglipVisionModel', 'siglip_vision_model'],
  ['Siglip2Model', 'siglip2'],
  ['Siglip2VisionModel', 'siglip2_vision_model'],
  ['CLIPModel', 'clip'],
  ['CLIPVisionModel', 'clip_vision_model'],
  ['CLIPVisionModelWithProjection', 'clip_vision_model'],
]);

/** What the user may choose instead of the checkpoint's own. */
export interface ViewOptions {
  /** Side of a view; the image processor's when absent. */
  readonly imageSize?: number | undefined;
  /** The image processor's when absent. */
  readonly resize?: Resize | undefined;
}

/** A checkpoint folder's config.json. */
export function readConfig(folder: string): Promise<JsonObject> {
  const missing = `config.json is missing in ${folder}; expected a Hugging Face checkpoint folder.`;
  return JsonObject.read(join(folder, 'config.json'), missing);
}

/**
 * The vision tower's geometry from config.json: its own fields, or those of a vision_config inside it.
 * Fields that it leaves out have the defaults of transformers' SiglipVisionConfig or CLIPVisionConfig. Throws
 * `invalid_argument` for NaFlex and for other architectures, with their names.
 */
export function readGeometry(config: JsonObject): TowerGeometry {
  const { vision, usual } = findVision(config);
  const channels = vision.integer('hidden_size', { min: 1, max: 16_384, fallback: usual.channels });
  const heads = vision.integer('num_attention_heads', { min: 1, max: 1_024, fallback: usual.heads });
  if (channels % heads !== 0)
    throw vision.fault('num_attention_heads', `a divisor of hidden_size ${channels}`);
  const imageSize = vision.integer('image_size', { min: 1, max: 4_096, fallback: 224 });
  vision.integer('num_channels', { min: 3, max: 3, fallback: 3 });
  return {
    architecture: usual.architecture,
    imageSize,
    checkpointImageSize: imageSize,
    patchSize: vision.integer('patch_size', {
      min: 1,
      max: Math.min(imageSize, 128),
      fallback: usual.patchSize,
    }),
    channels,
    heads,
    layers: vision.integer('num_hidden_layers', { min: 1, max: 512, fallback: 12 }),
    mlpChannels: vision.integer('intermediate_size', { min: 1, max: 131_072, fallback: 3_072 }),
    epsilon: vision.positive('layer_norm_eps', usual.epsilon),
    activation: readActivation(vision, usual.activation),
  };
}

/** The same tower for views of another size; its positions are interpolated. */
export function withImageSize(geometry: TowerGeometry, imageSize: number): TowerGeometry {
  const { patchSize } = geometry;
  if (imageSize >= patchSize) return { ...geometry, imageSize };
  throw invalidArgument(
    `The image size ${imageSize} is smaller than one patch of this model, ${patchSize} x ${patchSize} pixels.`,
  );
}

interface VisionConfig {
  readonly vision: JsonObject;
  readonly usual: Defaults;
}

/** The part of config.json that describes the vision tower: under vision_config, or wherever a tower is described. */
function findVision(config: JsonObject): VisionConfig {
  let [around, vision]: [JsonObject | undefined, JsonObject] = [undefined, config];
  for (let depth = 0; depth < 4 && vision.has('vision_config'); depth += 1) {
    [around, vision] = [vision, vision.object('vision_config')];
  }
  const type = typeOf(vision);
  const usual = towerTypes.get(type) ?? (type === undefined ? defaultTower(around) : undefined);
  if (usual !== undefined) return { vision, usual };
  const [found, another] = towersWithin(vision, 3);
  if (found !== undefined && another === undefined) return found;
  if (found !== undefined && another !== undefined) {
    throw invalidArgument(
      `${vision.where} describes several vision towers: ${found.vision.where} and ${another.vision.where}. ` +
        'Import a checkpoint of one of them.',
    );
  }
  throw unsupported(vision, around);
}

function typeOf(config: JsonObject): unknown {
  const type = config.get('model_type');
  if (type !== undefined) return type;
  const architectures = config.get('architectures');
  const first: unknown = Array.isArray(architectures) ? architectures[0] : undefined;
  return modelClasses.get(first) ?? first ?? undefined;
}

function defaultTower(around: JsonObject | undefined): Defaults | undefined {
  return around && defaultTowers.get(typeOf(around));
}

/** Descriptions of towers among the objects inside `config`, such as vision_tower. */
function towersWithin(config: JsonObject, depth: number): VisionConfig[] {
  if (depth === 0) return [];
  const objects = config.keys().filter((key) => isObject(config.get(key)));
  return objects.slice(0, 100).flatMap((key) => {
    const vision = config.object(key);
    const usual = towerTypes.get(vision.get('model_type'));
    return usual === undefined ? towersWithin(vision, depth - 1) : [{ vision, usual }];
  });
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unsupported(vision: JsonObject, around: JsonObject | undefined): ServiceError {
  const type = typeOf(vision) ?? (around && typeOf(around));
  const expected = 'siglip, siglip_vision_model, clip or clip_vision_model';
  const tower = vision.get('mm_vision_tower');
  const reason = naflexTypes.has(type)
    ? `model_type ${shortJson(type)} is a NaFlex checkpoint; only fixed-resolution SigLIP and SigLIP 2 checkpoints ` +
      '(model_type siglip or siglip_vision_model) can be imported.'
    : type === undefined
      ? `model_type is missing; expected ${expected}.`
      : tower === undefined
        ? `model_type ${shortJson(type)} is not supported; expected ${expected}, or a model with one of them as its vision_config.`
        : `model_type ${shortJson(type)} does not describe the vision tower, which mm_vision_tower names: ` +
          `${shortJson(tower)}. Import that one, or put its config.json and preprocessor_config.json into this folder.`;
  return invalidArgument(`${vision.where}: ${reason}`);
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
