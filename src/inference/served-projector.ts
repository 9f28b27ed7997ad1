import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newlineFile, projectorFile } from '../model/graph-io.ts';
import type { Model } from '../model/model.ts';
import { BatchTimes } from './batch-times.ts';
import { Batcher } from './batcher.ts';
import { type EngineOptions, startEngine } from './start-engine.ts';

/** A model's projector by itself, for features that are assembled before they are projected. */
export interface ServedProjector {
  /** Takes float32 features in place of views; its outputs are embeddings under the names of features. */
  readonly batcher: Batcher;
  /** The newline row, float32; absent if the projector has none. */
  readonly newline: Uint8Array<ArrayBuffer> | undefined;
  /** Whether its engine accepts work now. */
  isUp(): boolean;
  close(): Promise<void>;
}

/**
 * Starts a model's projector on an engine of its own and runs it once; undefined if the model has none. It runs one map at a
 * time: it costs a few hundredths of its tower, and maps may differ in length.
 */
export async function serveProjector(
  { folder, channels, grid, projector }: Model,
  options: EngineOptions,
): Promise<ServedProjector | undefined> {
  if (projector === undefined) return undefined;
  const newline = projector.newline ? Uint8Array.from(await readFile(join(folder, newlineFile))) : undefined;
  const times = new BatchTimes();
  const probe = () => new Uint8Array(grid.width * grid.height * channels * Float32Array.BYTES_PER_ELEMENT);
  const input = { kind: 'features', channels } as const;
  const engine = await startEngine({ folder, graphs: [projectorFile], input, probe, times }, options);
  try {
    times.calibrate(1, (await engine.encode([probe()], ['float16'])).engineMs);
  } catch (error) {
    await engine.close();
    throw error;
  }
  const batcher = new Batcher({
    engine,
    times,
    largest: 1,
    fixed: true,
    split: async (tokens) => [tokens],
    now: () => performance.now(),
  });
  return { batcher, newline, isUp: () => engine.isUp, close: () => engine.close() };
}
