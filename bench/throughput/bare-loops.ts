import { join } from 'node:path';
import { TaskChild } from '../processes/children.ts';
import { graphFile } from '../../src/model/graph-io.ts';
import type { Model } from '../../src/model/model.ts';
import { randomModel } from '../models/random-model.ts';
import type { BareResult, BareTask } from './bare-loop.ts';

const wantedMs = 100;
const probingMs = 4_000;

/** The loop over session.run of bare-loop.ts, in a process of its own. */
export class BareLoop {
  readonly #child = new TaskChild<BareTask, BareResult>('throughput/bare-loop');
  readonly #threads: number;

  constructor(threads: number) {
    this.#threads = threads;
  }

  async rate(model: Model, views: number, durationMs: number): Promise<number> {
    const graphPath = join(model.folder, graphFile);
    const task = { graphPath, imageSize: model.imageSize, threads: this.#threads, views, durationMs };
    return (await this.#child.run(task)).viewsPerSecond;
  }

  async byBatch(model: Model): Promise<{ readonly views: number; readonly perSecond: number }[]> {
    const rates: { views: number; perSecond: number }[] = [];
    for (const views of [1, 2, 4, 8]) {
      rates.push({ views, perSecond: await this.rate(model, views, probingMs) });
    }
    return rates;
  }

  async close(): Promise<void> {
    await this.#child.close();
  }
}

/** The model whose views take about 100 ms each on this machine. */
export async function calibratedModel(bare: BareLoop, progress: (line: string) => void): Promise<Model> {
  const ofLayers = (layers: number) => randomModel({ channels: 384, heads: 6, mlpChannels: 1536, layers });
  const probe = await ofLayers(2);
  const probeMs = 1000 / (await bare.rate(probe, 1, 2_000));
  const layers = Math.max(1, Math.round((2 * wantedMs) / probeMs));
  progress(`2 layers take ${probeMs.toFixed(0)} ms a view: using ${layers}`);
  return layers === 2 ? probe : await ofLayers(layers);
}
