import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { graphFile, newlineFile, projectorFile, weightsFile } from '../graph-io.ts';
import {
  formatVersion,
  manifestFile,
  manifestJson,
  type Manifest,
  outputsFormatVersion,
  projectorFormatVersion,
  type Provenance,
} from '../manifest.ts';
import type { FeatureLayer, ModelOutputs, Precision } from '../model.ts';
import type { Projector } from '../projector.ts';
import type { AnyresDefinition } from '../../recipes/plan-model.ts';
import type { Preprocessing } from './image-processor.ts';
import { buildTower } from './towers.ts';
import type { TowerOutputs } from './tower.ts';
import { gridSide, type TowerGeometry } from '../tower-geometry.ts';
import type { FormOf } from './int8-linear.ts';
import { type LinearBuilder, projectorPrefix } from './linear-builder.ts';
import type { ProjectorContents } from './projector-contents.ts';
import { addEmbeddings, hiddenSize, projectorGraph } from './projector-graph.ts';
import type { TensorSource } from './tensor-source.ts';
import { writeWeights, type WriteOptions } from './weights-file.ts';
import { writeHashed } from './write-hashed.ts';

/** Everything that goes into a model folder. */
export interface FolderContents {
  readonly geometry: TowerGeometry;
  readonly preprocessing: Preprocessing;
  /** The default features; those that the projector takes, if there is one. */
  readonly features: FeatureLayer;
  /** What the folder gives beside them, if anything, with the same default. */
  readonly outputs?: TowerOutputs | undefined;
  readonly precision: Precision;
  /** The forms of an int8 tower's matrices; all are int8 when absent. */
  readonly formOf?: FormOf | undefined;
  readonly trained: boolean;
  readonly source: TensorSource;
  readonly projector?: ProjectorContents | undefined;
  readonly anyres?: AnyresDefinition | undefined;
  readonly provenance: Provenance;
}

/**
 * Writes graphs, weights and model.json into an existing, empty folder. Checks every tensor before it writes anything,
 * and holds a few MB of weights at a time. Returns what it wrote as model.json.
 */
export async function writeModelFolder(
  folder: string,
  contents: FolderContents,
  options: WriteOptions = {},
): Promise<Manifest> {
  const { geometry, preprocessing, features, outputs, precision, trained, projector, anyres } = contents;
  const tower = towerOf(contents);
  const source = sourceOf(contents);
  for (const { tensor, shape } of tower.weights) await source.check(tensor, shape);
  const write = (name: string, bytes: Uint8Array) => writeHashed(join(folder, name), [bytes]);
  const graph = await write(graphFile, tower.graph.encode());
  const weightsPath = join(folder, weightsFile);
  const hashed = layerTensors(contents);
  const isHashed = (tensor: string) => hashed.has(tensor);
  const { file, withoutPositions } = await writeWeights(
    weightsPath,
    tower.weights,
    source,
    isHashed,
    options,
  );
  const side = gridSide(geometry);
  const grid = { width: side, height: side };
  const own =
    projector && projectorGraph(geometry, projector, precision, contents.formOf, tower.graph.places);
  const manifest: Manifest = {
    formatVersion: versionOf(contents),
    architecture: geometry.architecture,
    trained,
    imageSize: geometry.imageSize,
    patchSize: geometry.patchSize,
    grid,
    channels: geometry.channels,
    layers: geometry.layers,
    features,
    ...(outputs === undefined ? {} : { outputs: describeOutputs(outputs) }),
    precision,
    ...preprocessing,
    towerDigest: towerDigest(contents, withoutPositions),
    ...(projector === undefined ? {} : { projector: describeProjector(projector, grid) }),
    ...(anyres === undefined ? {} : { anyres }),
    files: {
      [graphFile]: graph,
      [weightsFile]: file,
      ...(own && { [projectorFile]: await write(projectorFile, own.encode()) }),
      ...(projector?.newline && { [newlineFile]: await write(newlineFile, projector.newline) }),
    },
    provenance: contents.provenance,
  };
  await writeFile(join(folder, manifestFile), manifestJson(manifest));
  return manifest;
}

/** The lowest version that describes the folder. */
function versionOf({ outputs, projector }: FolderContents): Manifest['formatVersion'] {
  if (outputs !== undefined) return outputsFormatVersion;
  return projector === undefined ? formatVersion : projectorFormatVersion;
}

function describeOutputs({ features, classToken, pooled }: TowerOutputs): ModelOutputs {
  return { features, classToken, ...(pooled === undefined ? {} : { pooledChannels: pooled.channels }) };
}

function describeProjector(projector: ProjectorContents, grid: Projector['grid']): Projector {
  const { family, digest, preparation, newline } = projector;
  return {
    family,
    digest,
    hiddenSize: hiddenSize(projector),
    grid: preparation?.grid ?? grid,
    anyGrid: preparation === undefined,
    newline: newline !== undefined,
  };
}

/** The tower's tensors, and the projector's by their prefix. */
function sourceOf({ source, projector }: FolderContents): TensorSource {
  if (projector === undefined) return source;
  const sourceFor = (tensor: string) => (tensor.startsWith(projectorPrefix) ? projector.source : source);
  return {
    check: (tensor, shape) => sourceFor(tensor).check(tensor, shape),
    read: (tensor, dtype, rowElements) => sourceFor(tensor).read(tensor, dtype, rowElements),
  };
}

/** The tensors on which the layers depend: not the projector's, nor those that only the pooled vector needs. */
function layerTensors({ outputs, ...contents }: FolderContents): ReadonlySet<string> {
  const layers = outputs && { ...outputs, pooled: undefined };
  const { weights } = towerOf({ ...contents, outputs: layers, projector: undefined });
  return new Set(weights.map(({ tensor }) => tensor));
}

/** SHA-256, as hex digits, over everything that determines the tokens but the image size and what follows from it. */
function towerDigest(
  { geometry, preprocessing, features, outputs, precision }: FolderContents,
  weightsDigest: string,
): string {
  const { architecture, patchSize, channels, layers, heads, mlpChannels, epsilon, activation } = geometry;
  const { rescale, mean, std } = preprocessing.normalisation;
  // One layer counts alike in a folder of lists and in one without, so that windows=whole takes both.
  const given = outputs === undefined || outputs.features.length === 1 ? features : outputs.features;
  const settled = [
    [architecture, patchSize, channels, layers, heads, mlpChannels, epsilon, activation],
    [rescale, mean, std],
    [given, precision, weightsDigest],
  ];
  return createHash('sha256').update(JSON.stringify(settled)).digest('hex');
}

/** The encoder that these contents describe: the tower, and the projector after it. */
export function towerOf(contents: FolderContents): LinearBuilder {
  const { geometry, preprocessing, features, precision, projector, formOf } = contents;
  const { outputs = { features: [features], classToken: false } } = contents;
  const tower = buildTower(geometry, preprocessing.normalisation, outputs, precision, formOf);
  if (projector !== undefined) addEmbeddings(tower, geometry, projector);
  return tower;
}
