import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newlineFile, projectorFile } from '../model/graph-io.ts';
import type { Model } from '../model/model.ts';
import type { Projector } from '../model/projector.ts';
import { Batcher } from './batcher.ts';
import type { PoolEngine } from './pool-engine.ts';
import type { ModelEngineOptions } from './model-engines.ts';
import { projectorSignature, projectorSuffix } from '../model/signature.ts';
import {
  type RemoteEngines,
  type RemoteReports,
  type RemoteWork,
  startRemoteEngines,
} from './remote/start-remote-engines.ts';
import { type EngineOptions, startEngines } from './start-engines.ts';

type ProjectorOptions = EngineOptions & Pick<ModelEngineOptions, 'remote'>;

const probeOutput = 'float16';

/** A model's projector by itself, for features that are assembled before they are projected. */
export interface ServedProjector {
  /** Takes float32 features in place of views; its outputs are embeddings under the names of features. */
  readonly batcher: Batcher;
  /** The newline row, float32; absent if the projector has none. */
  readonly newline: Uint8Array<ArrayBuffer> | undefined;
  close(): Promise<void>;
}

/**
 * Starts a model's projector on engines of its own, as many as the model has, and runs each once; undefined if the model
 * has none. An engine runs one map at a time: it costs a few hundredths of its tower, and maps may differ in length.
 */
export async function serveProjector(
  model: Model,
  options: ProjectorOptions,
): Promise<ServedProjector | undefined> {
  const { folder, channels, grid, projector } = model;
  if (projector === undefined) return undefined;
  const newline = projector.newline ? Uint8Array.from(await readFile(join(folder, newlineFile))) : undefined;
  const probe = () => new Uint8Array(grid.width * grid.height * channels * Float32Array.BYTES_PER_ELEMENT);
  let batcher: Batcher | undefined;
  const onChange = () => batcher?.engineChanged();
  const engines =
    options.remote === undefined
      ? await startHere(model, probe, options, onChange)
      : await startOnServers(model, projector, probe, options, options.remote, onChange);
  batcher = new Batcher({ engines, split: async (tokens) => [tokens], now: () => performance.now() });
  return {
    batcher,
    newline,
    async close() {
      await Promise.all(engines.map(({ engine }) => engine.close()));
    },
  };
}

const named = (engine: string) => `projector ${engine}`;

async function startHere(
  { folder, channels }: Model,
  probe: () => Uint8Array<ArrayBuffer>,
  { onReplace, onLate, onEnd, ...options }: EngineOptions,
  onChange: () => void,
): Promise<readonly PoolEngine[]> {
  const input = { kind: 'features', channels } as const;
  return await startEngines(
    { folder, graphs: [projectorFile], input, probe },
    {
      ...options,
      onReplace: (engine, error) => onReplace(named(engine), error),
      onLate: (engine) => onLate(named(engine)),
      onEnd: (engine, ...how) => onEnd(named(engine), ...how),
    },
    onChange,
    async ({ name, engine, times }): Promise<PoolEngine> => {
      times.calibrate(1, (await engine.encode([probe()], [probeOutput])).engineMs);
      return { name: named(name), engine, times, largest: 1, fixed: true, state: () => engine.state };
    },
  );
}

async function startOnServers(
  model: Model,
  projector: Projector,
  probe: () => Uint8Array<ArrayBuffer>,
  { engineTimeoutMs }: EngineOptions,
  remote: RemoteEngines & RemoteReports,
  onChange: () => void,
): Promise<readonly PoolEngine[]> {
  const work: RemoteWork = {
    name: model.name,
    prefix: named(''),
    suffix: projectorSuffix,
    signature: projectorSignature(model, projector),
    digest: model.digest,
    probe,
    probeOutput,
    largest: 1,
    fixed: true,
    async measure(engine, times) {
      times.calibrate(1, (await engine.encode([probe()], [probeOutput])).engineMs);
    },
  };
  return await startRemoteEngines(work, remote, engineTimeoutMs, remote, onChange);
}
