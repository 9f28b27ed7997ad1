import { ServiceError } from '../errors/service-error.ts';
import { graphFile, type GraphOutput } from '../model/graph-io.ts';
import { type Model, oneByOne } from '../model/model.ts';
import { fixedSizes } from './batch-policy.ts';
import type { Devices } from './devices.ts';
import type { PoolEngine } from './pool-engine.ts';
import { type EngineOptions, type StartedEngine, startEngines } from './start-engines.ts';
import { encoderSignature } from '../model/signature.ts';
import {
  type RemoteEngines,
  type RemoteReports,
  type RemoteWork,
  startRemoteEngines,
} from './remote/start-remote-engines.ts';
import { blackView, warmUp, widestThatRuns } from './warm-up.ts';

export interface ModelEngineOptions extends EngineOptions {
  /** The batch size to use; 0 to choose it by the measured times. */
  readonly maxBatch: number;
  readonly warmUpMs: number;
  /** The servers that run the model in place of engines of this process, and who is told of them. */
  readonly remote?: (RemoteEngines & RemoteReports) | undefined;
}

/** The largest batch that is chosen by measured times. */
const largestLearned = 32;

/**
 * Starts a model's engines and measures the batches of each, while the others run theirs as well. Rejects with
 * `failed_precondition` when they cannot be used. A model that quantises activations runs one view at a time; in a batch, a
 * view's tokens would depend on the other views.
 */
export async function startModelEngines(
  model: Model,
  options: ModelEngineOptions,
  onChange: () => void,
): Promise<readonly PoolEngine[]> {
  if (options.remote !== undefined) return await startOnServers(model, options, options.remote, onChange);
  const { folder, graphs = [graphFile], imageSize } = model;
  requireDevice(model, options.device);
  const work = { folder, graphs, input: { kind: 'pixels', side: imageSize } } as const;
  return await startEngines(
    { ...work, probe: () => blackView(imageSize) },
    options,
    onChange,
    async (started, { device }) => await warm(started, model, options, device.kind === 'cuda'),
  );
}

async function startOnServers(
  model: Model,
  { engineTimeoutMs, ...options }: ModelEngineOptions,
  remote: RemoteEngines & RemoteReports,
  onChange: () => void,
): Promise<readonly PoolEngine[]> {
  const { name, digest, imageSize } = model;
  const { output, largest } = widestBatch(model, options);
  const now = () => performance.now();
  const work: RemoteWork = {
    name,
    prefix: '',
    suffix: '',
    signature: encoderSignature(model),
    digest,
    probe: () => blackView(imageSize),
    probeOutput: output,
    largest,
    fixed: options.maxBatch !== 0,
    measure: async (engine, times, most) =>
      await warmUp(engine, times, { imageSize, output, largest: most, budgetMs: options.warmUpMs, now }),
  };
  return await startRemoteEngines(work, remote, engineTimeoutMs, remote, onChange);
}

/** The largest batch to try, and the output that takes most time and memory. */
function widestBatch(
  { precision, projector }: Model,
  { maxBatch }: Pick<ModelEngineOptions, 'maxBatch'>,
): { readonly largest: number; readonly output: GraphOutput } {
  const widest = maxBatch === 0 ? largestLearned : maxBatch;
  return {
    largest: oneByOne.has(precision) ? 1 : widest,
    output: projector === undefined ? 'float16' : 'embeddings_float16',
  };
}

async function warm(
  { name, engine, times }: StartedEngine,
  model: Model,
  { maxBatch, warmUpMs: budgetMs }: ModelEngineOptions,
  onGpu: boolean,
): Promise<PoolEngine> {
  const { imageSize } = model;
  const { output, largest: widest } = widestBatch(model, { maxBatch });
  let largest = widest;
  if (onGpu) {
    const runs = await widestThatRuns(engine, largest, imageSize, output);
    if (runs < largest && maxBatch !== 0) throw tooWide(model, maxBatch, runs);
    largest = runs;
  }
  await warmUp(engine, times, { imageSize, output, largest, budgetMs, now: () => performance.now() });
  return {
    name,
    engine,
    times,
    largest,
    sizes: onGpu ? fixedSizes(largest) : undefined,
    fixed: maxBatch !== 0,
    state: () => engine.state,
  };
}

function tooWide({ name }: Model, maxBatch: number, runs: number): ServiceError {
  return new ServiceError(
    'failed_precondition',
    `The model "${name}" cannot run ${maxBatch} views at once on this device, only ${runs}: set --max-batch to ${runs} or leave it out.`,
  );
}

function requireDevice({ name, precision }: Model, { kind }: Devices): void {
  if (precision !== 'int8' || kind === 'cpu') return;
  throw new ServiceError(
    'failed_precondition',
    `The model "${name}" is int8, which only runs on a CPU; use --device cpu or import it with --precision fp16.`,
  );
}
