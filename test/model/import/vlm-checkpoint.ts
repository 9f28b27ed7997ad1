import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { makeInput } from '../../../src/inference/onnx-session.ts';
import { importModel, type ImportOptions } from '../../../src/model/import/import-model.ts';
import { loadModelFolder } from '../../../src/model/load-folder.ts';
import type { Model } from '../../../src/model/model.ts';
import { decodeSafetensors, encodeSafetensors, type TestTensor } from './checkpoints.ts';
import { encodeView } from './encode-view.ts';
import { fixture, temporaryFolder } from './fixtures.ts';

/** Path of a checkpoint of test/fixtures/vlm-checkpoints. */
export const checkpoint = (name: string): string => fixture(`vlm-checkpoints/${name}`);

/** Imports in fp32 unless `options` say otherwise. */
export async function importTo(
  out: string,
  source: string,
  options: Partial<ImportOptions> = {},
): Promise<Model> {
  await importModel({ source, out, precision: 'fp32', ...options });
  return loadModelFolder(out);
}

/** A copy of a fixture with its configuration and its only file of weights changed. */
export async function changed(
  t: TestContext,
  name: string,
  {
    config = {},
    rename = (tensor) => tensor,
    tensors: change = () => {},
  }: {
    readonly config?: Record<string, unknown>;
    /** Undefined takes the tensor out. */
    readonly rename?: (tensor: string) => string | undefined;
    readonly tensors?: (tensors: Map<string, TestTensor>) => void;
  },
): Promise<string> {
  const source = join(await temporaryFolder(t), name);
  await cp(checkpoint(name), source, { recursive: true });
  const path = join(source, 'config.json');
  const old = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  await writeFile(path, JSON.stringify({ ...old, ...config }));
  const file = join(source, 'model.safetensors');
  const tensors = new Map(
    [...decodeSafetensors(await readFile(file))].flatMap(([tensor, value]) => {
      const renamed = rename(tensor);
      return renamed === undefined ? [] : [[renamed, value] as const];
    }),
  );
  change(tensors);
  await writeFile(file, encodeSafetensors(tensors));
  return source;
}

interface Rows {
  readonly float32: Float32Array;
  readonly finite: readonly boolean[];
  readonly shape: readonly number[];
}

/** What the folder's encoder gives for the fixture view of the model's size, and what its projector makes of that. */
export async function embed(model: Model): Promise<{ readonly encoder: Rows; readonly projector: Rows }> {
  const side = model.imageSize;
  const view = await encodeView(`../vlm/views/view-${side}.png`, model);
  const pixels = new Tensor('uint8', view, [1, side, side, 3]);
  const encoder = await InferenceSession.create(join(model.folder, 'encoder.onnx'));
  const projector = await InferenceSession.create(join(model.folder, 'projector.onnx'));
  const made = await encoder.run({ pixels }, ['tokens', 'embeddings', 'embeddings_finite']);
  const alone = await projector.run({ features: makeInput(made['tokens']!) }, ['tokens', 'finite']);
  const rows = (tokens: Tensor, finite: Tensor): Rows => ({
    float32: Float32Array.from(tokens.data as Float32Array),
    finite: Array.from(finite.data as Uint8Array, (flag) => flag !== 0),
    shape: tokens.dims,
  });
  try {
    return {
      encoder: rows(made['embeddings']!, made['embeddings_finite']!),
      projector: rows(alone['tokens']!, alone['finite']!),
    };
  } finally {
    await encoder.release();
    await projector.release();
  }
}

/** The largest magnitude. */
export function largest(values: Float32Array): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}
