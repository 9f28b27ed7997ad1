import { cp, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { exportExaminer } from '../../../../src/inference/examine-export.ts';
import { Graph } from '../../../../src/model/import/graph.ts';
import { importModel, type ImportOptions } from '../../../../src/model/import/import-model.ts';
import type { Model } from '../../../../src/model/model.ts';
import { fixture } from '../fixtures.ts';

/** Imports an export with the process that examines it for real. */
export function importExport(
  source: string,
  out: string,
  options: Partial<ImportOptions> = {},
): Promise<Model> {
  const examiner = exportExaminer(1);
  return importModel({
    source,
    out,
    features: ['last_hidden_state'],
    precision: 'fp32',
    examiner,
    ...options,
  });
}

/** A copy of test/fixtures/exports/siglip-tiny in a folder: the path of one of its graphs. */
export async function copyOfExport(folder: string, name: string): Promise<string> {
  await cp(fixture('exports/siglip-tiny'), folder, { recursive: true });
  return join(folder, 'onnx', name);
}

/** Writes a graph as an export of siglip-tiny's size, FOLDER/onnx/vision_model.onnx, and gives its path. */
export async function graphAsExport(folder: string, build: (graph: Graph) => void): Promise<string> {
  const path = join(folder, 'onnx', 'vision_model.onnx');
  await mkdir(dirname(path), { recursive: true });
  for (const file of ['config.json', 'preprocessor_config.json']) {
    await cp(fixture(`siglip-tiny/${file}`), join(folder, file));
  }
  const graph = new Graph();
  build(graph);
  await writeFile(path, graph.encode());
  return path;
}

/** Adds a node that gives the values of `input` another shape, in which 0 keeps a size. */
export function reshape(graph: Graph, input: string, shape: readonly number[], output?: string): string {
  return graph.node('Reshape', [input, graph.constant('int64', [shape.length], shape)], {}, output);
}

/** Adds nodes that give the first 32 of each 768 values of a view as the 1,024 tokens of siglip-tiny's size. */
export function firstValuesAsTokens(graph: Graph, input: string, output: string, views = 0): void {
  const [start, end, axis] = [0, 32, 2].map((value) => graph.constant('int64', [1], [value]));
  graph.node('Slice', [reshape(graph, input, [views, 1024, 768]), start!, end!, axis!], {}, output);
}
