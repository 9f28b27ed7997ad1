import { createHash } from 'node:crypto';
import { invalidArgument } from '../errors/invalid-argument.ts';
import type { AnyresDefinition } from '../recipes/plan-model.ts';
import { type JsonObject, shortJson } from './json-object.ts';
import { resamples, resizes } from '../recipes/plan.ts';
import { graphFile, newlineFile, projectorFile, weightsFile } from './graph-io.ts';
import { outputsParts, parseLayer, parseOutputs } from './manifest-outputs.ts';
import { parseAnyres, parseProjector } from './manifest-projector.ts';
import { isInnerPath } from './inner-path.ts';
import { modelPrecisions, type Model } from './model.ts';
import type { Projector } from './projector.ts';
import { architectures, gridSide, type Normalisation } from './tower-geometry.ts';

export const manifestFile = 'model.json';

/** Version of a folder with one graph, encoder.onnx, and its weights in encoder.onnx_data. */
export const formatVersion = 3;
/** Version of a folder made from an ONNX export: `graphs` that run one after another, and any files of weights. */
export const exportFormatVersion = 4;
/** Version of a folder with a projector: one graph for both kinds of tokens, and the projector's own beside it. */
export const projectorFormatVersion = 5;
/** Version of a folder with `outputs`: several hidden states, class tokens or a pooled vector. It may have a projector. */
export const outputsFormatVersion = 6;
const formatVersions = [
  formatVersion,
  exportFormatVersion,
  projectorFormatVersion,
  outputsFormatVersion,
] as const;

export interface FileDigest {
  readonly sizeBytes: number;
  /** 64 hex digits. */
  readonly sha256: string;
}

/** Where a checkpoint came from. */
export interface Origin {
  /** Base name of its folder or file; on the hub OWNER/NAME. */
  readonly source: string;
  /** Commit of a repository on the hub, 40 hex digits. */
  readonly revision?: string;
}

/** Where a model came from, for people. Only its origin is read back. */
export interface Provenance extends Origin {
  /** Dtype of the checkpoint's first tensor: F32, F16, BF16. Of an ONNX export, the dtype of most of its weights. */
  readonly storedDtype: string;
  /** The checkpoint of a projector that is not the tower's own. */
  readonly projector?: Origin;
  /** Of an int8 model. */
  readonly int8?: Int8Provenance;
}

/** What the import measured of an int8 model. */
export interface Int8Provenance {
  /** Mean over tokens of the cosine with float32's. */
  readonly cosine: number;
  /** The least that was asked for. */
  readonly minCosine: number;
  /** The pictures that were encoded, and how many views that made. */
  readonly pictures: string;
  readonly views: number;
  /** Matrices that stay float32, the worst first: names of their tensors without `.weight`. */
  readonly float32: readonly string[];
}

/** model.json without its digest, which follows from the rest. docs/model-folder.md describes each field. */
export interface Manifest extends Omit<Model, 'name' | 'folder' | 'digest' | 'revision'> {
  readonly formatVersion: (typeof formatVersions)[number];
  readonly normalisation: Normalisation;
  /** By path in the folder: every file but model.json. */
  readonly files: Readonly<Record<string, FileDigest>>;
  readonly provenance: Provenance | Origin;
}

/**
 * `sha256:` and 64 hex digits over everything that changes tokens: geometry, preprocessing, graphs, weights, and
 * `towerDigest`, which finds the second model of windows=whole.
 */
export function manifestDigest(manifest: Manifest): string {
  const { architecture, imageSize, patchSize, grid, channels, layers } = manifest;
  const { features, precision, resample, resize, towerDigest } = manifest;
  const { outputs, fitSize, projector, anyres } = manifest;
  const { rescale, mean, std } = manifest.normalisation;
  const settled = [
    manifest.formatVersion,
    architecture,
    [imageSize, patchSize, grid.width, grid.height, channels, layers],
    [features, precision, resample, resize, towerDigest],
    [rescale, mean, std],
    filesDigests(manifest),
    ...(outputs === undefined ? [] : [{ outputs: outputsParts(outputs) }]),
    ...(fitSize === undefined ? [] : [{ fitSize }]),
    ...(projector === undefined ? [] : [{ projector: projectorParts(projector) }]),
    ...(anyres === undefined ? [] : [{ anyres: anyresParts(anyres) }]),
  ];
  return `sha256:${createHash('sha256').update(JSON.stringify(settled)).digest('hex')}`;
}

function projectorParts({ family, digest, hiddenSize, grid, anyGrid, newline }: Projector): unknown[] {
  return [family, digest, hiddenSize, grid.width, grid.height, anyGrid, newline];
}

function anyresParts({ grids, resample, maxTiles }: AnyresDefinition): unknown[] {
  return [grids.map(({ columns, rows }) => [columns, rows]), resample, maxTiles];
}

/** An export's graphs name their files of weights, so those names count; one graph's files are always called the same. */
function filesDigests({ formatVersion: version, graphs = [], files }: Manifest): unknown[] {
  if (version === formatVersion) return [files[graphFile]?.sha256, files[weightsFile]?.sha256];
  const named = Object.entries(files).map(([name, { sha256 }]) => [name, sha256] as const);
  return [graphs, named.toSorted(([a], [b]) => (a < b ? -1 : 1))];
}

/** model.json's text. */
export function manifestJson(manifest: Manifest): string {
  return `${JSON.stringify({ ...manifest, digest: manifestDigest(manifest) }, undefined, 2)}\n`;
}

/** Reads and checks every field of model.json that something acts on; `invalid_argument`, naming the field, where one does not fit. */
export function parseManifest(json: JsonObject): Manifest {
  const version = parseVersion(json);
  const imageSize = json.integer('imageSize', { min: 1, max: 4_096 });
  const geometry = {
    imageSize,
    patchSize: json.integer('patchSize', { min: 1, max: imageSize }),
    channels: json.integer('channels', { min: 1, max: 16_384 }),
    layers: json.integer('layers', { min: 1, max: 512 }),
  };
  const side = gridSide(geometry);
  const grid = json.object('grid');
  const normalisation = json.object('normalisation');
  const files = parseFiles(json.object('files'), version, hasProjector(json, version));
  const manifest: Manifest = {
    formatVersion: version,
    architecture: json.oneOf('architecture', architectures),
    trained: json.boolean('trained'),
    ...geometry,
    grid: {
      width: grid.integer('width', { min: side, max: side }),
      height: grid.integer('height', { min: side, max: side }),
    },
    features: parseLayer(json, 'features', json.get('features'), geometry.layers),
    ...(version === outputsFormatVersion
      ? { outputs: parseOutputs(json.object('outputs'), json.get('features'), geometry.layers) }
      : {}),
    precision: json.oneOf('precision', modelPrecisions),
    resample: json.oneOf('resample', resamples),
    resize: json.oneOf('resize', resizes),
    ...(json.get('resize') === 'fit-squash'
      ? { fitSize: json.integer('fitSize', { min: 1, max: 16_384 }) }
      : {}),
    normalisation: {
      rescale: normalisation.positive('rescale'),
      mean: normalisation.triple('mean'),
      std: normalisation.triple('std'),
    },
    towerDigest: parseSha256(json, 'towerDigest'),
    ...(version === exportFormatVersion ? { graphs: parseGraphs(json, files) } : {}),
    ...(hasProjector(json, version) ? { projector: parseProjector(json.object('projector')) } : {}),
    ...(json.has('anyres') ? { anyres: parseAnyres(json.object('anyres')) } : {}),
    files,
    provenance: parseOrigin(json.object('provenance')),
  };
  if (manifest.projector?.newline) requireNames(json.object('files'), [newlineFile]);
  if (json.string('digest') !== manifestDigest(manifest)) {
    throw invalidArgument(
      `${json.where} was changed after the import: its digest is not that of its other fields. Import the model again.`,
    );
  }
  return manifest;
}

function parseVersion(json: JsonObject): Manifest['formatVersion'] {
  const version = formatVersions.find((one) => one === json.get('formatVersion'));
  if (version !== undefined) return version;
  throw invalidArgument(
    `${json.where}: formatVersion is ${shortJson(json.get('formatVersion'))}, and this version of siglip-hd reads ` +
      `${formatVersions.slice(0, -1).join(', ')} and ${formatVersions.at(-1)}: import the model again.`,
  );
}

function hasProjector(json: JsonObject, version: Manifest['formatVersion']): boolean {
  return version === projectorFormatVersion || (version === outputsFormatVersion && json.has('projector'));
}

function parseOrigin(origin: JsonObject): Origin {
  const source = origin.string('source');
  if (!origin.has('revision')) return { source };
  const revision = origin.string('revision');
  if (!/^[0-9a-f]{40}$/.test(revision)) throw origin.fault('revision', '40 hex digits');
  return { source, revision };
}

function parseFiles(
  files: JsonObject,
  version: Manifest['formatVersion'],
  isProjected: boolean,
): Manifest['files'] {
  if (version !== exportFormatVersion) requireNames(files, [graphFile, weightsFile]);
  if (isProjected) requireNames(files, [projectorFile]);
  return Object.fromEntries(
    files.keys().map((name) => {
      if (!isInnerPath(name)) throw files.fault(name, 'a file of the folder');
      return [name, parseFile(files.object(name))];
    }),
  );
}

function requireNames(files: JsonObject, names: readonly string[]): void {
  for (const name of names) if (!files.has(name)) throw files.fault(name, 'a file of the folder');
}

function parseGraphs(json: JsonObject, files: Manifest['files']): readonly string[] {
  const graphs = json.strings('graphs');
  if (!graphs.includes(graphFile) || graphs.some((name) => !Object.hasOwn(files, name))) {
    throw json.fault('graphs', `names of files, ${graphFile} among them`);
  }
  return graphs;
}

function parseFile(file: JsonObject): FileDigest {
  return {
    sizeBytes: file.integer('sizeBytes', { min: 0, max: Number.MAX_SAFE_INTEGER }),
    sha256: parseSha256(file, 'sha256'),
  };
}

function parseSha256(json: JsonObject, key: string): string {
  const digits = json.string(key);
  if (!/^[0-9a-f]{64}$/.test(digits)) throw json.fault(key, '64 hex digits');
  return digits;
}
