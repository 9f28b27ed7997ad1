import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { graphFile, weightsFile } from '../../src/model/graph-io.ts';
import { formatVersion, manifestFile, manifestJson } from '../../src/model/manifest.ts';

/** What stands in a stub model's graph file: t(b) = batchMs + viewMs * b, and the values of a view's tokens. */
export interface StubGraph {
  readonly batchMs: number;
  readonly viewMs: number;
  readonly values: number;
}

export interface StubTimes {
  readonly batchMs: number;
  readonly viewMs: number;
  readonly channels: number;
}

/** How one engine of a stub can be made to fail: its thread ends, never returns, or gives tokens that are not finite. */
export const engineFaults = ['exit', 'hang', 'not finite'] as const;
export type EngineFault = (typeof engineFaults)[number];

/** The file in the model folder whose first finder fails so. */
export function faultFile(fault: EngineFault): string {
  return `fault ${fault}`;
}

const imageSize = 512;
const patchSize = 16;
const side = imageSize / patchSize;

/** t(b) of a batch of so many views, in milliseconds. */
export function batchMsOf({ batchMs, viewMs }: Pick<StubGraph, 'batchMs' | 'viewMs'>, views: number): number {
  return batchMs + viewMs * views;
}

/** Writes a model folder that is one in all but its graph, which the stub engine reads in place of ONNX Runtime. */
export async function writeStubModel(
  folder: string,
  { batchMs, viewMs, channels }: StubTimes,
): Promise<void> {
  const graph: StubGraph = { batchMs, viewMs, values: side * side * channels };
  const files = { [graphFile]: Buffer.from(JSON.stringify(graph)), [weightsFile]: Buffer.alloc(0) };
  await mkdir(folder, { recursive: true });
  for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes);
  const json = manifestJson({
    formatVersion,
    architecture: 'siglip',
    trained: false,
    imageSize,
    patchSize,
    grid: { width: side, height: side },
    channels,
    layers: 1,
    features: 'last_hidden_state',
    precision: 'fp32',
    resample: 'bilinear',
    resize: 'squash',
    normalisation: { rescale: 1 / 255, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
    towerDigest: '0'.repeat(64),
    files: { [graphFile]: fileDigest(files[graphFile]), [weightsFile]: fileDigest(files[weightsFile]) },
    provenance: { source: 'stub', storedDtype: 'F32' },
  });
  await writeFile(join(folder, manifestFile), json);
}

function fileDigest(bytes: Buffer): { sizeBytes: number; sha256: string } {
  return { sizeBytes: bytes.byteLength, sha256: createHash('sha256').update(bytes).digest('hex') };
}
