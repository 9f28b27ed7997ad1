import { Admission } from '../../src/admission.ts';
import { sizeReader } from '../../src/image/image-input.ts';
import { createViewPool } from '../../src/image/view-pool.ts';
import { BatchTimes } from '../../src/inference/batch-times.ts';
import { Batcher } from '../../src/inference/batcher.ts';
import type { Model } from '../../src/model/model.ts';
import { encodeImages, type PipelineParts, planAnswer } from '../../src/pipeline.ts';
import type { VisualEncoder } from '../../src/request.ts';
import { TokenPool } from '../../src/tokens/token-pool.ts';
import { GatedEngine } from './gated-engine.ts';

/** A model of one token of two channels, so that the gated engine's four bytes are a view's float16 tokens. */
export const gatedModel: Model = {
  name: 'gated',
  folder: '/nowhere',
  digest: `sha256:${'0'.repeat(64)}`,
  architecture: 'siglip',
  trained: false,
  imageSize: 8,
  patchSize: 8,
  grid: { width: 1, height: 1 },
  channels: 2,
  layers: 1,
  features: 'last_hidden_state',
  precision: 'fp32',
  resample: 'bilinear',
  resize: 'squash',
  towerDigest: '0'.repeat(64),
};

/** The real request's way over an engine that waits at a gate. */
export function gatedEncoder({ largest = 8, maxViews = 64 } = {}) {
  const engine = new GatedEngine();
  const tokenPool = new TokenPool(1);
  const viewPool = createViewPool({ threads: 1, images: 4, maxPixels: 1_000_000 });
  const now = () => performance.now();
  const batcher = new Batcher({
    engine,
    times: new BatchTimes(),
    largest,
    fixed: true,
    split: (tokens, views) => tokenPool.split(tokens, views),
    now,
  });
  const admission = new Admission({ maxViews, retryAfterMs: () => 1500 });
  const parts: PipelineParts = {
    served: [{ model: gatedModel, batcher }],
    admission,
    maxAnswerBytes: 1_000_000,
    readSize: sizeReader(1_000_000),
    viewPool,
    tokenPool,
    now,
  };
  const encoder: VisualEncoder = {
    encode: (request) => encodeImages(parts, request),
    plan: (request) => planAnswer(parts, request),
    models: () => [gatedModel],
    ready: () => true,
  };
  const close = async () => {
    await Promise.all([viewPool.close(), tokenPool.close()]);
  };
  return { engine, batcher, admission, encoder, close };
}

/** Resolves when `holds` does, looking once a turn of the event loop; rejects after ten seconds. */
export async function until(holds: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + 10_000;
  while (!holds()) {
    if (performance.now() > giveUpAt) throw new Error('it never came to hold');
    await new Promise((resolve) => setImmediate(resolve));
  }
}
