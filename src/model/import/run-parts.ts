import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ServiceError } from '../../errors/service-error.ts';
import type { Graph, Places } from './graph.ts';

/** The value of a graph's input or output. */
export interface GraphValue {
  readonly type: 'uint8' | 'float32';
  readonly shape: readonly number[];
  readonly data: Uint8Array<ArrayBuffer> | Float32Array<ArrayBuffer>;
}

export type GraphValues = Readonly<Record<string, GraphValue>>;

/**
 * Loads the graph at `path`, runs it on each of `inputs` and releases it. Returns the `outputs` by name. May block the
 * thread.
 */
export type RunGraph = (
  path: string,
  inputs: readonly GraphValues[],
  outputs: readonly string[],
) => Promise<GraphValues[]>;

export interface PartRuns {
  readonly run: RunGraph;
  /** The folder of the weights file. */
  readonly folder: string;
  /** Where the weights are in it. */
  readonly places: Places;
  /** A part ends when it has as many bytes of weights. */
  readonly partBytes?: number;
  readonly signal?: AbortSignal | undefined;
}

/** A layer or two of So400m. ONNX Runtime holds about twice as many bytes while a part runs. */
const usualPartBytes = 96 * 2 ** 20;

/**
 * Runs a graph on each of `inputs` part by part, so that only one part's weights are in memory. Returns the float32
 * outputs that `wanted` accepts. Rejects with `cancelled` between parts when the signal fires.
 */
export async function runInParts(
  graph: Graph,
  input: string,
  inputs: readonly GraphValue[],
  wanted: (output: string) => boolean,
  { run, folder, places, partBytes = usualPartBytes, signal }: PartRuns,
): Promise<GraphValues[]> {
  const results: Record<string, GraphValue>[] = inputs.map(() => ({}));
  let passed: { readonly name: string; readonly values: readonly GraphValue[] } = {
    name: input,
    values: inputs,
  };
  const path = join(folder, 'part.onnx');
  for (const { model, outputs, output } of graph.parts(partBytes, places)) {
    if (signal?.aborted) throw new ServiceError('cancelled', 'The import was cancelled.');
    await writeFile(path, model);
    const given = outputs.filter(wanted);
    const feeds = passed.values.map((value) => ({ [passed.name]: value }));
    const made = await run(path, feeds, output === undefined ? given : [...given, output]);
    for (const [index, values] of made.entries()) {
      for (const name of given) results[index]![name] = values[name]!;
    }
    if (output !== undefined) passed = { name: output, values: made.map((values) => values[output]!) };
  }
  await rm(path);
  return results;
}
