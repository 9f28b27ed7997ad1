import { mkdir, rm } from 'node:fs/promises';
import { invalidArgument } from '../../errors/invalid-argument.ts';
import { chooseMatrices } from './choose-matrices.ts';
import { describeModel } from '../load-folder.ts';
import { embeddingsStem, graphInput, graphOutputs, layerStem, pooledStem } from '../graph-io.ts';
import { matrixOfError, type MatrixForm } from './int8-linear.ts';
import { hiddenSize } from './projector-graph.ts';
import type { Int8Provenance } from '../manifest.ts';
import type { Model } from '../model.ts';
import { runInParts, type GraphValue, type RunGraph } from './run-parts.ts';
import { meanTokenCosine } from './cosine.ts';
import type { WriteOptions } from './weights-file.ts';
import { towerOf, writeModelFolder, type FolderContents } from './write-folder.ts';

/** How an int8 import measures its matrices. */
export interface Calibration {
  /** Mean cosine between the tokens of int8 and of float32 that the import must reach, at most 1. */
  readonly minCosine: number;
  /** At least one picture as the model sees it: uint8 RGB, `imageSize * imageSize * 3` bytes. */
  readonly views: (model: Model) => Promise<readonly Uint8Array<ArrayBuffer>[]>;
  /** Where the pictures come from, for model.json. */
  readonly pictures: string;
  readonly run: RunGraph;
  /** Called with the choice before the model folder is written. */
  readonly onChosen?: ((chosen: Int8Provenance) => void) | undefined;
}

/**
 * Chooses which matrices of an int8 tower stay float32. Writes every weight both ways into `folder`, which must not
 * exist and is removed at the end. Encodes the views once with the float32 tower, which also measures each matrix's error
 * in int8, and then with one int8 tower or more. All that the folder gives counts, hidden states, the pooled vector and
 * embeddings: the smallest of their cosines must reach `minCosine`. Holds a part of the weights in memory at a time.
 */
export async function calibrate(
  folder: string,
  contents: FolderContents,
  { minCosine, views, pictures, run }: Calibration,
  options: WriteOptions,
): Promise<Int8Provenance> {
  const kinds = tokenKinds(contents);
  const both = { ...contents, formOf: (): MatrixForm => 'both' };
  await mkdir(folder);
  try {
    const manifest = await writeModelFolder(folder, both, options);
    const { graph } = towerOf(both);
    const inputs = (await views(describeModel(manifest, folder))).map(
      (data): GraphValue => ({ type: 'uint8', shape: [1, manifest.imageSize, manifest.imageSize, 3], data }),
    );
    const runs = { run, folder, places: graph.places, signal: options.signal };
    const isTokens = (name: string): boolean => kinds.some(({ output }) => output === name);
    const isWanted = (name: string): boolean => isTokens(name) || matrixOfError(name) !== undefined;
    const exact = await runInParts(graph, graphInput, inputs, isWanted, runs);
    if (!exact.every((values) => kinds.every(({ output }) => values[output]!.data.every(Number.isFinite)))) {
      const message =
        'The fp32 model gives tokens that are not finite, so int8 cannot be compared with them.';
      throw invalidArgument(message);
    }
    const errors = meanErrors(exact);
    const { float32, cosine } = await chooseMatrices(errors, minCosine, async (kept) => {
      const formOf = (matrix: string): MatrixForm => (kept.has(matrix) ? 'exact' : 'int8');
      const mixed = towerOf({ ...contents, formOf }).graph;
      const tried = await runInParts(mixed, graphInput, inputs, isTokens, runs);
      const cosines = kinds.map(({ output, channels }) => {
        const each = tried.map((values, index) =>
          meanTokenCosine(values[output]!.data, exact[index]![output]!.data, channels),
        );
        return each.reduce((sum, one) => sum + one, 0) / each.length;
      });
      return Math.min(...cosines);
    });
    if (float32.length === errors.size) {
      throw invalidArgument(
        `Only a model with every matrix in fp32 reaches a mean cosine of ${minCosine}: import with --precision fp32, or ask ` +
          'for less with --min-cosine.',
      );
    }
    return { cosine, minCosine, pictures, views: inputs.length, float32 };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

interface TokenKind {
  readonly output: string;
  readonly channels: number;
}

/** The float32 outputs that are compared. */
function tokenKinds({ geometry, features, outputs, projector }: FolderContents): readonly TokenKind[] {
  const { channels } = geometry;
  const others = outputs?.features.filter((layer) => layer !== features) ?? [];
  return [
    { output: graphOutputs.float32.tokens, channels },
    ...others.map((layer) => ({ output: layerStem(layer), channels })),
    ...(outputs?.pooled === undefined ? [] : [{ output: pooledStem, channels: outputs.pooled.channels }]),
    ...(projector === undefined ? [] : [{ output: embeddingsStem, channels: hiddenSize(projector) }]),
  ];
}

/** Each matrix's error, as the mean over views. */
function meanErrors(runs: readonly Readonly<Record<string, GraphValue>>[]): Map<string, number> {
  const errors = new Map<string, number>();
  for (const values of runs) {
    for (const [output, { data }] of Object.entries(values)) {
      const matrix = matrixOfError(output);
      if (matrix !== undefined) errors.set(matrix, (errors.get(matrix) ?? 0) + data[0]! / runs.length);
    }
  }
  return errors;
}
