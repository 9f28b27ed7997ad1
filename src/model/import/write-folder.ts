import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { graphFile, weightsFile } from '../graph-io.ts';
import { formatVersion, manifestFile, manifestJson, type Manifest, type Provenance } from '../manifest.ts';
import type { FeatureLayer, Precision } from '../model.ts';
import type { Preprocessing } from './image-processor.ts';
import { clipTower, siglipTower } from './towers.ts';
import { type Tower } from './tower.ts';
import { gridSide, type TowerGeometry } from '../tower-geometry.ts';
import type { FormOf } from './int8-linear.ts';
import type { TensorSource } from './tensor-source.ts';
import { writeWeights, type WriteOptions } from './weights-file.ts';

/** Everything that goes into a model folder. */
export interface FolderContents {
  readonly geometry: TowerGeometry;
  readonly preprocessing: Preprocessing;
  readonly features: FeatureLayer;
  readonly precision: Precision;
  /** The forms of an int8 tower's matrices; all are int8 when absent. */
  readonly formOf?: FormOf | undefined;
  readonly trained: boolean;
  readonly source: TensorSource;
  readonly provenance: Provenance;
}

/**
 * Writes graph, weights and model.json into an existing, empty folder. Checks every tensor before it writes anything,
 * and holds a few MB of weights at a time. Returns what it wrote as model.json.
 */
export async function writeModelFolder(
  folder: string,
  contents: FolderContents,
  options: WriteOptions = {},
): Promise<Manifest> {
  const { geometry, preprocessing, features, precision, trained, source, provenance } = contents;
  const tower = towerOf(contents);
  for (const { tensor, shape } of tower.weights) await source.check(tensor, shape);
  const graph = tower.graph.encode();
  await writeFile(join(folder, graphFile), graph);
  const { file, withoutPositions } = await writeWeights(
    join(folder, weightsFile),
    tower.weights,
    source,
    options,
  );
  const side = gridSide(geometry);
  const manifest: Manifest = {
    formatVersion,
    architecture: geometry.architecture,
    trained,
    imageSize: geometry.imageSize,
    patchSize: geometry.patchSize,
    grid: { width: side, height: side },
    channels: geometry.channels,
    layers: geometry.layers,
    features,
    precision,
    ...preprocessing,
    towerDigest: towerDigest(contents, withoutPositions),
    files: {
      [graphFile]: {
        sizeBytes: graph.byteLength,
        sha256: createHash('sha256').update(graph).digest('hex'),
      },
      [weightsFile]: file,
    },
    provenance,
  };
  await writeFile(join(folder, manifestFile), manifestJson(manifest));
  return manifest;
}

/** SHA-256, as hex digits, over everything that determines the tokens but the image size and what follows from it. */
function towerDigest(
  { geometry, preprocessing, features, precision }: FolderContents,
  weightsDigest: string,
): string {
  const { architecture, patchSize, channels, layers, heads, mlpChannels, epsilon, activation } = geometry;
  const { rescale, mean, std } = preprocessing.normalisation;
  const settled = [
    [architecture, patchSize, channels, layers, heads, mlpChannels, epsilon, activation],
    [rescale, mean, std],
    [features, precision, weightsDigest],
  ];
  return createHash('sha256').update(JSON.stringify(settled)).digest('hex');
}

/** The tower that these contents describe. */
export function towerOf({ geometry, preprocessing, features, precision, formOf }: FolderContents): Tower {
  const towers = { siglip: siglipTower, clip: clipTower } as const;
  return towers[geometry.architecture](geometry, preprocessing.normalisation, features, precision, formOf);
}
