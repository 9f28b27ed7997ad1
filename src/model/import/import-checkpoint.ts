import { basename, join, resolve } from 'node:path';
import { invalidArgument } from '../../errors/invalid-argument.ts';
import type { ServiceError } from '../../errors/service-error.ts';
import type { AnyresDefinition } from '../../recipes/plan-model.ts';
import type { JsonObject } from '../json-object.ts';
import type { Manifest, Origin } from '../manifest.ts';
import { mostGridSide } from '../manifest-projector.ts';
import type { Precision } from '../model.ts';
import { calibrate, type Calibration } from './calibrate.ts';
import { readConfig, readGeometry, withImageSize, type ViewOptions } from './checkpoint-config.ts';
import { requireNoAdapter } from './adapter.ts';
import { CheckpointFiles } from './checkpoint-files.ts';
import { Checkpoint } from './checkpoint.ts';
import { chooseOutputs, type OutputOptions } from './choose-outputs.ts';
import type { DescribedTower, Family, ProjectorRecipe } from './families/family.ts';
import { describesItself, findFamily, requireKnownFamily } from './families/registry.ts';
import { readImageProcessor } from './image-processor.ts';
import { type CheckpointPart, requireTower } from './needed-tensors.ts';
import { readProjector } from './projector-contents.ts';
import { type FoundProjector, openProjector } from './projector-source.ts';
import {
  type FoundTower,
  findTower,
  projectionTensor,
  requireTensorsOf,
  tensorsBeside,
} from './tower-names.ts';
import type { WriteOptions } from './weights-file.ts';
import { writeModelFolder, type FolderContents } from './write-folder.ts';

/** A checkpoint's folder or file. */
export interface CheckpointSource {
  readonly source: string;
  /** Where it came from, for model.json; its base name when absent. */
  readonly origin?: Origin | undefined;
}

/** A checkpoint, and what is wanted of it. */
export interface CheckpointOptions extends CheckpointSource, ViewOptions, WriteOptions, OutputOptions {
  /** Imports the vision tower alone, whatever lies beside it. */
  readonly towerOnly?: boolean | undefined;
  /** A checkpoint with a projector to take instead of its own. */
  readonly projector?: CheckpointSource | undefined;
  readonly precision: Precision;
  /** How int8 is measured; every matrix becomes int8, unmeasured, when absent. */
  readonly calibration?: Calibration | undefined;
  /** Called with a sentence on what the import decided and the user may not expect. */
  readonly onNote?: ((sentence: string) => void) | undefined;
}

/** Rejects the configuration of a checkpoint, whose weights need not be there yet, if it would be refused whatever the options are. */
export async function checkConfiguration(folder: string, part: CheckpointPart = 'model'): Promise<void> {
  if (part === 'projector') return;
  const config = await readConfig(folder);
  if (part === 'model') requireKnownFamily(config);
  if (describesItself(config)) return;
  await readImageProcessor(folder, readGeometry(config), { resize: 'squash' });
}

/** Writes the model folder of a checkpoint. Rejects with `invalid_argument` and one sentence. */
export async function writeCheckpointFolder(folder: string, options: CheckpointOptions): Promise<Manifest> {
  const { source, precision, calibration, onNote } = options;
  const config = await readConfig(source);
  const family = findFamily(config);
  const isAlone = options.towerOnly === true || options.projector !== undefined;
  if (!isAlone) requireKnownFamily(config);
  requireNoAdapter(source);
  const files = await CheckpointFiles.open(source);
  requireTower([...files.names()], config, source);
  const tower = findTower(files.names());
  const checkpoint = new Checkpoint(files, tower);
  const described = await describeTower(config, checkpoint, family, options);
  const { geometry: stored, preprocessing, imageSize } = described;
  const geometry = withImageSize(stored, imageSize);
  requireTensorsOf(tower, geometry);
  const found =
    options.projector !== undefined
      ? await openProjector(options.projector.source, geometry, options.features?.[0])
      : isAlone || family === undefined
        ? undefined
        : {
            family: family.name,
            recipe: family.read(config, geometry, { isOwnTower: true }),
            files,
            imageSize: stored.imageSize,
          };
  const chosen = await chooseOutputs(options, found?.recipe.features, geometry, checkpoint);
  const storedDtype = await checkpoint.dtype('embeddings.patch_embedding.weight');
  const provenance = {
    ...originOf(options),
    storedDtype,
    ...(options.projector === undefined ? {} : { projector: originOf(options.projector) }),
  };
  const contents: FolderContents = {
    geometry,
    preprocessing,
    ...chosen,
    precision,
    source: checkpoint,
    trained: true,
    projector: found && (await readProjector(found, geometry)),
    anyres: found && anyresOf(found, preprocessing.resample, stored.imageSize, geometry.imageSize),
    provenance,
  };
  for (const note of notesOn(contents, tower, options, found?.recipe)) onNote?.(note);
  if (precision !== 'int8' || calibration === undefined) return writeModelFolder(folder, contents, options);
  const int8 = await calibrate(join(folder, 'calibration'), contents, calibration, options);
  calibration.onChosen?.(int8);
  const float32 = new Set(int8.float32);
  const formOf = (matrix: string) => (float32.has(matrix) ? 'exact' : 'int8');
  return writeModelFolder(folder, { ...contents, formOf, provenance: { ...provenance, int8 } }, options);
}

function originOf({ source, origin }: CheckpointSource): Origin {
  return origin ?? { source: basename(resolve(source)) };
}

/** From config.json and the image processor's file, or from the tensors in a family that has no such files. */
async function describeTower(
  config: JsonObject,
  checkpoint: Checkpoint,
  family: Family | undefined,
  options: CheckpointOptions,
): Promise<DescribedTower> {
  if (family?.describeTower === undefined) {
    const geometry = readGeometry(config);
    return { geometry, ...(await readImageProcessor(options.source, geometry, options)) };
  }
  const { geometry, imageSize, preprocessing } = family.describeTower(config, await checkpoint.shapes());
  return {
    geometry,
    imageSize: options.imageSize ?? imageSize,
    preprocessing: { ...preprocessing, resize: options.resize ?? preprocessing.resize },
  };
}

/** The checkpoint's AnyRes in squares of its tower's views, or of the first of `others` that fill its pinpoints. */
function anyresOf(
  { recipe: { anyres }, imageSize }: FoundProjector,
  resample: AnyresDefinition['resample'],
  ...others: readonly number[]
): AnyresDefinition | undefined {
  if (anyres === undefined) return undefined;
  const { pinpoints, maxTiles } = anyres;
  const sides = imageSize === undefined ? others : [imageSize, ...others];
  const side = sides.find((one) =>
    pinpoints.every(({ width, height }) => width % one === 0 && height % one === 0),
  );
  if (side === undefined) {
    throw pinpointsFault(`has sizes that no squares of ${sides[0]} px fill`);
  }
  const grids = pinpoints.map(({ width, height }) => ({ columns: width / side, rows: height / side }));
  if (grids.some(({ columns, rows }) => Math.max(columns, rows) > mostGridSide)) {
    throw pinpointsFault(`has sizes of more than ${mostGridSide} squares of ${side} px along a side`);
  }
  return { grids, resample, maxTiles };
}

function pinpointsFault(sentence: string): ServiceError {
  return invalidArgument(`config.json: image_grid_pinpoints ${sentence}.`);
}

/** What a model does to an image that is not square. */
const fittings = {
  crop: 'crops them',
  squash: 'stretches them',
  'fit-squash': 'stretches them',
} as const;

/** What the user did not ask for and may not expect. */
function* notesOn(
  { geometry, preprocessing, outputs }: FolderContents,
  tower: FoundTower,
  options: CheckpointOptions,
  recipe: ProjectorRecipe | undefined,
): Generator<string> {
  const { imageSize, checkpointImageSize = imageSize } = geometry;
  if (options.imageSize === undefined && imageSize !== checkpointImageSize) {
    yield `The image processor makes views of ${imageSize} px, and the positions of config.json are for ${checkpointImageSize} px: ` +
      `they are interpolated. --image-size ${checkpointImageSize} imports the tower as it is.`;
  }
  const { patchSize } = geometry;
  const rest = imageSize % patchSize;
  if (options.imageSize !== undefined && rest > 0 && imageSize !== checkpointImageSize) {
    const seen = imageSize - rest;
    yield `--image-size ${imageSize} is not a multiple of the patch size, ${patchSize}: the tokens do not show the last ${rest} px on the ` +
      `right and at the bottom. The nearest multiples are ${seen} and ${seen + patchSize}.`;
  }
  if (recipe?.isPadded && options.resize === undefined) {
    yield `LLaVA pads images to squares (image_aspect_ratio "pad"), and this model ${fittings[preprocessing.resize]}: pad images ` +
      "that are not square before you send them, or their embeddings differ from LLaVA's.";
  }
  if (outputs?.pooled !== undefined && geometry.architecture === 'clip' && !outputs.pooled.isProjected) {
    yield `The checkpoint has no ${projectionTensor}: the pooled vector is the class token after its norm, unprojected.`;
  }
  const [beside, ...more] = tensorsBeside(tower);
  if (beside !== undefined) {
    yield `Left out: ${more.length + 1} tensors beside the vision tower's own, such as ${beside}.`;
  }
}
