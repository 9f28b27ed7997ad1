import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newlineFile } from '../model/graph-io.ts';
import type { Model } from '../model/model.ts';
import { Batcher } from './batcher.ts';
import { projectorWork } from './engine-work.ts';
import { type EngineOptions, startEngines } from './start-engines.ts';

/** A model's projector by itself, for features that are assembled before they are projected. */
export interface ServedProjector {
  /** Takes float32 features in place of views; its outputs are embeddings under the names of features. */
  readonly batcher: Batcher;
  /** The newline row, float32; absent if the projector has none. */
  readonly newline: Uint8Array<ArrayBuffer> | undefined;
  close(): Promise<void>;
}

/** Starts a model's projector on engines of its own, as many as the model has; undefined if the model has none. */
export async function serveProjector(
  model: Model,
  options: EngineOptions,
): Promise<ServedProjector | undefined> {
  const { folder, projector } = model;
  if (projector === undefined) return undefined;
  const newline = projector.newline ? Uint8Array.from(await readFile(join(folder, newlineFile))) : undefined;
  let batcher: Batcher | undefined;
  const engines = await startEngines(projectorWork(model, projector), options, () =>
    batcher?.engineChanged(),
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
