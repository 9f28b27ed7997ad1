// Examines one ONNX file in a process of its own, so that a file which crashes its reader crashes nothing else.
import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { ExportPorts } from '../model/import/onnx/export-examiner.ts';
import { type Port, pixelPort, tokenPort } from '../model/import/onnx/export-ports.ts';
import { ExportProblem } from '../model/import/onnx/export-problem.ts';
import { readExportWeights } from '../model/import/onnx/export-weights.ts';
import type { TowerGeometry } from '../model/tower-geometry.ts';
import { cpuOptions, makeInput } from './onnx-session.ts';
import { runtimeReason } from './runtime-reason.ts';

/** The one task of the process. */
export type ExportTask =
  | { readonly kind: 'weights'; readonly path: string }
  | {
      readonly kind: 'try';
      readonly path: string;
      readonly geometry: TowerGeometry;
      readonly threads: number;
    };

/** What it answers. */
export type ExportFinding<Value> =
  | { readonly kind: 'found'; readonly value: Value }
  | { readonly kind: 'problem'; readonly message: string };

/** Two, since tracing a model with one view may have made the batch of one a constant. */
const triedViews = 2;

process.once('message', (task: ExportTask) => void answer(task));
process.once('disconnect', () => process.exit());

async function answer(task: ExportTask): Promise<void> {
  const finding = await examine(task).then(
    (value) => ({ kind: 'found', value }) as const,
    (error: unknown) => {
      if (error instanceof ExportProblem) return { kind: 'problem', message: error.message } as const;
      throw error;
    },
  );
  process.send?.(finding satisfies ExportFinding<unknown>, () => process.disconnect());
}

async function examine(task: ExportTask): Promise<unknown> {
  return task.kind === 'weights' ? await readExportWeights(task.path) : await tryGraph(task);
}

async function tryGraph({
  path,
  geometry,
  threads,
}: Extract<ExportTask, { kind: 'try' }>): Promise<ExportPorts> {
  const problem = (what: string, error: unknown): ExportProblem => {
    // The path is that of a copy, which the user does not know.
    const reason = runtimeReason((error as Error).message.replaceAll(path, 'the graph'));
    return new ExportProblem(`${what} by ONNX Runtime: ${reason}`, { cause: error });
  };
  const session = await InferenceSession.create(path, { ...cpuOptions(threads), logSeverityLevel: 4 }).catch(
    (error: unknown) => {
      throw problem('cannot be loaded', error);
    },
  );
  const input = pixelPort(session.inputMetadata.map(portOf), geometry);
  const outputs = session.outputMetadata.filter(({ isTensor }) => isTensor).map(({ name }) => name);
  const { imageSize } = geometry;
  const sizes = input.channelsLast ? [imageSize, imageSize, 3] : [3, imageSize, imageSize];
  const run = async (views: number): Promise<Port[]> => {
    const Values = input.type === 'float32' ? Float32Array : Uint16Array;
    const tensor = new Tensor(input.type, new Values(views * 3 * imageSize ** 2), [views, ...sizes]);
    const given = await session.run({ [input.name]: makeInput(tensor) }, outputs);
    return Object.entries(given).map(([name, { type, dims }]) => ({ name, type, shape: dims }));
  };
  const given = await run(triedViews).catch(async (error: unknown) => {
    const runsOnOne = await run(1).then(
      () => true,
      () => false,
    );
    if (!runsOnOne) throw problem('cannot be run', error);
    throw new ExportProblem(`runs on one view and not on ${triedViews}; export it with a dynamic batch size`);
  });
  return { input, output: tokenPort(given, triedViews, geometry) };
}

function portOf(value: InferenceSession.ValueMetadata): Port {
  const { name } = value;
  return value.isTensor
    ? { name, type: value.type, shape: value.shape }
    : { name, type: undefined, shape: [] };
}
