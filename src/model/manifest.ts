import { createHash } from 'node:crypto';
import { ServiceError } from '../errors/service-error.ts';
import { type JsonObject, shortJson } from './json-object.ts';
import { resamples, resizes } from '../recipes/plan.ts';
import { graphFile, weightsFile } from './graph-io.ts';
import { featureLayers, modelPrecisions, type Model } from './model.ts';
import { architectures, gridSide, type Normalisation } from './tower-geometry.ts';

export const manifestFile = 'model.json';
export const formatVersion = 3;

export interface FileDigest {
  readonly sizeBytes: number;
  /** 64 hex digits. */
  readonly sha256: string;
}

/** Where a model came from; told, never acted on. */
export interface Provenance {
  /**
   * Base name of the checkpoint folder or of the exported graph, or how the weights were made; on the hub OWNER/NAME.
   */
  readonly source: string;
  /** Of a repository on the hub the commit, 40 hex digits. */
  readonly revision?: string;
  /** Dtype of the checkpoint's first tensor: F32, F16, BF16; of an exported graph, that of most of its weights. */
  readonly storedDtype: string;
  /** Of an int8 model. */
  readonly int8?: Int8Provenance;
}

/** What an int8 model was measured at when it was imported. */
export interface Int8Provenance {
  /** Mean over tokens of the cosine with float32's. */
  readonly cosine: number;
  /** What was to be reached. */
  readonly minCosine: number;
  /** What was encoded for it, and how many views of it. */
  readonly pictures: string;
  readonly views: number;
  /** Matrices that stay float32, by their tensors' names without `.weight`; the worst first. */
  readonly float32: readonly string[];
}

/** model.json without its digest, which follows from the rest. docs/model-folder.md tells of each field. */
export interface Manifest extends Omit<Model, 'name' | 'folder' | 'digest' | 'revision'> {
  readonly formatVersion: typeof formatVersion;
  readonly normalisation: Normalisation;
  readonly files: Readonly<Record<typeof graphFile | typeof weightsFile, FileDigest>>;
  readonly provenance: Provenance;
}

/**
 * `sha256:` and 64 hex digits over everything that changes tokens: geometry, pixels' way, graph, weights, and
 * `towerDigest`, which finds the second model of windows=whole.
 */
export function manifestDigest(manifest: Manifest): string {
  const { architecture, imageSize, patchSize, grid, channels, layers } = manifest;
  const { features, precision, resample, resize, towerDigest } = manifest;
  const { rescale, mean, std } = manifest.normalisation;
  const settled = [
    formatVersion,
    architecture,
    [imageSize, patchSize, grid.width, grid.height, channels, layers],
    [features, precision, resample, resize, towerDigest],
    [rescale, mean, std],
    [manifest.files[graphFile].sha256, manifest.files[weightsFile].sha256],
  ];
  return `sha256:${createHash('sha256').update(JSON.stringify(settled)).digest('hex')}`;
}

/** model.json's text. */
export function manifestJson(manifest: Manifest): string {
  return `${JSON.stringify({ ...manifest, digest: manifestDigest(manifest) }, undefined, 2)}\n`;
}

/** Reads and checks every field of model.json; `invalid_argument`, naming the field, where one does not fit. */
export function parseManifest(json: JsonObject): Manifest {
  if (json.get('formatVersion') !== formatVersion) {
    throw new ServiceError(
      'invalid_argument',
      `${json.where}: formatVersion is ${shortJson(json.get('formatVersion'))}, and this version of siglip-hd reads ` +
        `${formatVersion}: import the model again.`,
    );
  }
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
  const files = json.object('files');
  const provenance = json.object('provenance');
  const manifest: Manifest = {
    formatVersion,
    architecture: json.oneOf('architecture', architectures),
    trained: json.boolean('trained'),
    ...geometry,
    grid: {
      width: grid.integer('width', { min: side, max: side }),
      height: grid.integer('height', { min: side, max: side }),
    },
    features: json.oneOf('features', featureLayers),
    precision: json.oneOf('precision', modelPrecisions),
    resample: json.oneOf('resample', resamples),
    resize: json.oneOf('resize', resizes),
    normalisation: {
      rescale: normalisation.positive('rescale'),
      mean: normalisation.triple('mean'),
      std: normalisation.triple('std'),
    },
    towerDigest: parseSha256(json, 'towerDigest'),
    files: {
      [graphFile]: parseFile(files.object(graphFile)),
      [weightsFile]: parseFile(files.object(weightsFile)),
    },
    provenance: {
      source: provenance.string('source'),
      ...(provenance.has('revision') ? { revision: parseCommit(provenance) } : {}),
      storedDtype: provenance.string('storedDtype'),
      ...(provenance.has('int8') ? { int8: parseInt8(provenance.object('int8')) } : {}),
    },
  };
  if (json.string('digest') !== manifestDigest(manifest)) {
    throw new ServiceError(
      'invalid_argument',
      `${json.where} was changed after the import: its digest is not that of its other fields. Import the model again.`,
    );
  }
  return manifest;
}

function parseCommit(provenance: JsonObject): string {
  const revision = provenance.string('revision');
  if (!/^[0-9a-f]{40}$/.test(revision)) throw provenance.fault('revision', '40 hex digits');
  return revision;
}

function parseInt8(int8: JsonObject): Int8Provenance {
  return {
    cosine: int8.positive('cosine'),
    minCosine: int8.positive('minCosine'),
    pictures: int8.string('pictures'),
    views: int8.integer('views', { min: 1, max: Number.MAX_SAFE_INTEGER }),
    float32: int8.strings('float32'),
  };
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
