import type { RunBatch } from './batcher.ts';

/** Records a batch in the traces of its requests. */
export function traceBatch(model: string, { views, engineMs, endedAt, traces }: RunBatch): void {
  traces[0]?.batch({ model, views, startMs: endedAt - engineMs, endMs: endedAt, traces });
}
