// A process of its own for an ONNX file that nobody has vouched for: it answers one task, and ends.
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { type Port, pixelPort, tokenPort } from '../model/import/onnx/export-ports.ts';
import { readExportWeights } from '../model/import/onnx/export-weights.ts';
import type { ExportPorts, Finding } from '../model/import/onnx/export-examiner.ts';
import type { TowerGeometry } from '../model/tower-geometry.ts';
import { cpuOptions, makeInput } from './onnx-session.ts';
import { runtimeReason } from './runtime-reason.ts';

export type ExportTask =
  | { readonly kind: 'weights'; readonly path: string }
  | {
      readonly kind: 'try';
      readonly path: string;
      readonly geometry: TowerGeometry;
      readonly threads: number;
    };

/** Two, since a graph that was traced with one view may have that one built in. */
const triedViews = 2;

process.once('message', (task: ExportTask) => void answer(task));
process.once('disconnect', () => process.exit());

async function answer(task: ExportTask): Promise<void> {
  let finding: Finding<unknown>;
  try {
    const value = await (task.kind === 'weights' ? readExportWeights(task.path) : tryGraph(task));
    finding = { kind: 'found', value };
  } catch (thrown) {
    finding = { kind: 'refused', problem: thrown instanceof Error ? thrown.message : String(thrown) };
  }
  process.send?.(finding, () => process.disconnect());
}

async function tryGraph({
  path,
  geometry,
  threads,
}: Extract<ExportTask, { kind: 'try' }>): Promise<ExportPorts> {
  const session = await native('cannot be loaded by ONNX Runtime', path, () =>
    InferenceSession.create(path, { ...cpuOptions(threads), logSeverityLevel: 4 }),
  );
  const input = pixelPort(session.inputMetadata.map(portOf), geometry);
  const outputs = session.outputMetadata.filter(({ isTensor }) => isTensor).map(({ name }) => name);
  const { imageSize } = geometry;
  const sizes = input.channelsLast ? [imageSize, imageSize, 3] : [3, imageSize, imageSize];
  const run = async (views: number): Promise<Port[]> => {
    const values = new (input.type === 'float32' ? Float32Array : Uint16Array)(views * 3 * imageSize ** 2);
    const tensor = makeInput(new Tensor(input.type, values, [views, ...sizes]));
    const given = await session.run({ [input.name]: tensor }, outputs);
    return Object.entries(given).map(([name, { type, dims }]) => ({ name, type, shape: dims }));
  };
  const given = await native('cannot be run by ONNX Runtime', path, () => run(triedViews)).catch(
    async (error: unknown) => {
      if (
        await run(1).then(
          () => false,
          () => true,
        )
      )
        throw error;
      throw new Error(`runs on one view and not on ${triedViews}; export it with a dynamic batch size`, {
        cause: error,
      });
    },
  );
  return { input, output: tokenPort(given, triedViews, geometry) };
}

function portOf(value: InferenceSession.ValueMetadata): Port {
  return value.isTensor
    ? { name: value.name, type: value.type, shape: value.shape }
    : { name: value.name, type: undefined, shape: [] };
}

/** What ONNX Runtime gives, or the problem with its reason. The file is a copy, whose path says nothing to a reader. */
async function native<Value>(problem: string, path: string, call: () => Promise<Value>): Promise<Value> {
  try {
    return await call();
  } catch (thrown) {
    const reason = thrown instanceof Error ? thrown.message : String(thrown);
    throw new Error(`${problem}: ${runtimeReason(reason.replaceAll(path, 'the graph'))}`, { cause: thrown });
  }
}
