import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newlineFile, projectorFile } from '../model/graph-io.ts';
import type { Model } from '../model/model.ts';
import { Batcher } from './batcher.ts';
import type { PoolEngine } from './pool-engine.ts';
import { type EngineOptions, startEngines } from './start-engines.ts';

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
  { folder, channels, grid, projector }: Model,
  { onReplace, onLate, onEnd, ...options }: EngineOptions,
): Promise<ServedProjector | undefined> {
  if (projector === undefined) return undefined;
  const newline = projector.newline ? Uint8Array.from(await readFile(join(folder, newlineFile))) : undefined;
  const probe = () => new Uint8Array(grid.width * grid.height * channels * Float32Array.BYTES_PER_ELEMENT);
  const input = { kind: 'features', channels } as const;
  const named = (engine: string) => `projector ${engine}`;
  let batcher: Batcher | undefined;
  const engines = await startEngines(
    { folder, graphs: [projectorFile], input, probe },
    {
      ...options,
      onReplace: (engine, error) => onReplace(named(engine), error),
      onLate: (engine) => onLate(named(engine)),
      onEnd: (engine, ...how) => onEnd(named(engine), ...how),
    },
    () => batcher?.engineChanged(),
    async ({ name, engine, times }): Promise<PoolEngine> => {
      times.calibrate(1, (await engine.encode([probe()], ['float16'])).engineMs);
      return { name: named(name), engine, times, largest: 1, fixed: true, state: () => engine.state };
    },
  );
  batcher = new Batcher({ engines, split: async (tokens) => [tokens], now: () => performance.now() });
  return {
    batcher,
    newline,
    async close() {
      await Promise.all(engines.map(({ engine }) => engine.close()));
    },
  };
}
