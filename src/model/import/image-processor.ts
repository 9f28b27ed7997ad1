import { join } from 'node:path';
import { invalidArgument } from '../../errors/invalid-argument.ts';
import type { Resample, Resize } from '../../recipes/plan.ts';
import { JsonObject, shortJson } from '../json-object.ts';
import type { Architecture, Normalisation, TowerGeometry } from '../tower-geometry.ts';
import type { ViewOptions } from './checkpoint-config.ts';
import { defaultProcessorName, processorClass, type ProcessorClass } from './processor-class.ts';

/** Files that may have the image processor: inside a processor, as transformers 5 writes it, and by itself. */
export const processorFiles = ['processor_config.json', 'preprocessor_config.json'] as const;

export interface Preprocessing {
  readonly normalisation: Normalisation;
  readonly resample: Resample;
  /** How Encode makes a view of an image of any shape. */
  readonly resize: Resize;
  /** Of `fit-squash`. */
  readonly fitSize?: number | undefined;
}

/** What a checkpoint's image processor does, and the side of the views that it makes. */
export interface ImageProcessor {
  readonly preprocessing: Preprocessing;
  readonly imageSize: number;
}

/**
 * A folder's image processor: `image_processor` of processor_config.json, or else preprocessor_config.json, as
 * transformers 5 takes them. A field that is left out has the default of the class that image_processor_type names.
 * `options` override the file. Throws `invalid_argument`, with the field's name, for what Encode cannot do.
 */
export async function readImageProcessor(
  folder: string,
  tower: TowerGeometry,
  options: ViewOptions = {},
): Promise<ImageProcessor> {
  const config = await findProcessor(folder);
  const defaults = await readClass(folder, config, tower);
  requireKnownSteps(config);
  const view = readView(config, defaults, tower.checkpointImageSize ?? tower.imageSize, options.resize);
  return {
    imageSize: options.imageSize ?? view.side,
    preprocessing: {
      resize: view.resize,
      ...(view.fitSize === undefined ? {} : { fitSize: view.fitSize }),
      resample: readResample(config, defaults),
      normalisation: readNormalisation(config, defaults),
    },
  };
}

async function findProcessor(folder: string): Promise<JsonObject> {
  const [nested, alone] = processorFiles;
  const processor = await JsonObject.find(join(folder, nested));
  if (processor?.has('image_processor')) return processor.object('image_processor');
  const missing =
    `${alone} is missing in ${folder}, and so is ${nested} with an image_processor: one of them must say how pixels ` +
    'are resized and normalised.';
  return JsonObject.read(join(folder, alone), missing);
}

/** The class that the processor or config.json names, or the model's own: AutoImageProcessor chooses so too. */
async function readClass(
  folder: string,
  config: JsonObject,
  { architecture }: TowerGeometry,
): Promise<ProcessorClass> {
  const named = config.get('image_processor_type') ?? config.get('feature_extractor_type');
  if (named !== undefined && typeof named !== 'string')
    throw config.fault('image_processor_type', 'a string');
  const name = named ?? (await nameFromModel(folder, architecture));
  const found = processorClass(name);
  if (!('refusal' in found)) return found;
  const message = `${config.where}: image_processor_type ${shortJson(name)} ${found.refusal}.`;
  throw invalidArgument(message);
}

async function nameFromModel(folder: string, architecture: Architecture): Promise<string> {
  const model = await JsonObject.find(join(folder, 'config.json'));
  return model?.has('image_processor_type')
    ? model.string('image_processor_type')
    : defaultProcessorName(model?.get('model_type'), architecture);
}

/** Steps that are read below, or that do not change the view of a whole image. */
const knownSteps: ReadonlySet<string> = new Set([
  'do_resize',
  'do_center_crop',
  'do_rescale',
  'do_normalize',
  // Images are always converted to RGB.
  'do_convert_rgb',
  // Pads the images of a batch to one size, in most classes.
  'do_pad',
  // Adds views, which Encode does not make.
  'do_pan_and_scan',
  'do_image_splitting',
]);

function requireKnownSteps(config: JsonObject): void {
  for (const key of config.keys()) {
    if (key.startsWith('do_') && readStep(config, key, false) && !knownSteps.has(key)) {
      throw config.fault(key, 'false, since Encode has no such step');
    }
  }
}

/** Whether the processor takes a step. Null means false; only a missing field has the default. */
function readStep(config: JsonObject, key: string, fallback: boolean): boolean {
  return config.boolean(key, fallback && !config.isNull(key));
}

interface View {
  readonly side: number;
  readonly resize: Resize;
  readonly fitSize?: number;
}

/** How a view is made, and its side. When the user has chosen how, the file only says the side. */
function readView(
  config: JsonObject,
  defaults: ProcessorClass,
  towerSide: number,
  chosen: Resize | undefined,
): View {
  if (defaults.fitSide !== undefined)
    return readFittedView(config, defaults.size.side, defaults.fitSide, chosen);
  const isCropped = readStep(config, 'do_center_crop', defaults.cropSide !== undefined);
  const isPadded =
    readStep(config, 'do_pad', false) && (defaults.padsToSquare === true || config.has('pad_size'));
  const isResized = defaults.tiles === true || readStep(config, 'do_resize', true);
  const size = readSize(config, 'size', isCropped ? defaults.numberIs : 'square') ?? defaults.size;
  const cropSide = isCropped
    ? (readSize(config, 'crop_size', 'square')?.side ?? defaults.cropSide)
    : undefined;
  const side = isResized || isCropped ? (cropSide ?? size.side) : towerSide;
  if (chosen !== undefined) return { side, resize: chosen };

  const orChoose = 'or choose with --resize squash or crop';
  if (isPadded) throw config.fault('do_pad', `false, ${orChoose}: Encode does not pad`);
  if (!isResized) {
    if (isCropped) throw config.fault('do_resize', `true where do_center_crop is, ${orChoose}`);
    return { side, resize: 'squash' };
  }
  if (cropSide !== undefined && cropSide !== size.side) {
    throw config.fault('crop_size', `as large as size, ${size.side} x ${size.side}, ${orChoose}`);
  }
  if (size.kind === 'square' || defaults.tiles) return { side, resize: 'squash' };
  if (isCropped) return { side, resize: 'crop' };
  throw config.fault('size', `a square, or do_center_crop true, ${orChoose}`);
}

/** Of a class that resizes twice: to the longest edge of `size`, and then to a square of `max_image_size`. */
function readFittedView(config: JsonObject, side: number, fitSide: number, chosen: Resize | undefined): View {
  const square = readLongestEdge(config, 'max_image_size') ?? side;
  if (chosen !== undefined) return { side: square, resize: chosen };
  if (!readStep(config, 'do_resize', true)) throw config.fault('do_resize', 'true');
  return { side: square, resize: 'fit-squash', fitSize: readLongestEdge(config, 'size') ?? fitSide };
}

function readLongestEdge(config: JsonObject, key: 'size' | 'max_image_size'): number | undefined {
  return config.has(key) ? config.object(key).integer('longest_edge', { min: 1, max: 4_096 }) : undefined;
}

/**
 * `size` or `crop_size`, in any form that transformers writes: a number, [height, width], {height, width} or
 * {shortest_edge}. Undefined when it is left out.
 */
function readSize(
  config: JsonObject,
  key: 'size' | 'crop_size',
  numberIs: ProcessorClass['numberIs'],
): ProcessorClass['size'] | undefined {
  const value = config.get(key);
  if (value === undefined) return undefined;
  if (isSide(value)) return { kind: numberIs, side: value };
  const fields = isRecord(value) ? Object.entries(value).filter(([, length]) => length !== null) : [];
  const names = fields
    .map(([name]) => name)
    .toSorted()
    .join();
  const [side, other]: readonly unknown[] = fields.map(([, length]): unknown => length);
  if (isSide(side)) {
    const isPair = names === 'height,width' || (names === '0,1' && Array.isArray(value));
    if (isPair && side === other) return { kind: 'square', side };
    if (names === 'shortest_edge' && key === 'size') return { kind: 'shortest edge', side };
  }
  throw config.fault(key, `a square of 1 to 4096 pixels${key === 'size' ? ', or its shortest_edge' : ''}`);
}

function isRecord(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function isSide(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= 4_096;
}

/** Pillow's number of a filter, or its name. */
function readResample(config: JsonObject, defaults: ProcessorClass): Resample {
  const value = config.get('resample') ?? defaults.resample;
  const name = typeof value === 'string' ? value.toLowerCase().split('.').at(-1) : value;
  if (name === 1 || name === 'lanczos') return 'lanczos';
  if (name === 2 || name === 'bilinear') return 'bilinear';
  if (name === 3 || name === 'bicubic') return 'bicubic';
  throw config.fault('resample', '1 (lanczos), 2 (bilinear) or 3 (bicubic)');
}

function readNormalisation(config: JsonObject, defaults: ProcessorClass): Normalisation {
  const rescale = config.positive('rescale_factor', 1 / 255);
  const mean = readTriple(config, 'image_mean', defaults.mean);
  const std = readTriple(config, 'image_std', defaults.std);
  if (std.some((value) => value <= 0)) throw config.fault('image_std', 'numbers above 0');
  const isNormalised = readStep(config, 'do_normalize', true);
  return {
    rescale: readStep(config, 'do_rescale', true) ? rescale : 1,
    mean: isNormalised ? mean : [0, 0, 0],
    std: isNormalised ? std : [1, 1, 1],
  };
}

/** A number for each channel; a single number stands for all three. */
function readTriple(
  config: JsonObject,
  key: string,
  fallback: readonly [number, number, number],
): readonly [number, number, number] {
  const value = config.get(key);
  return typeof value === 'number' && Number.isFinite(value)
    ? [value, value, value]
    : config.triple(key, fallback);
}
