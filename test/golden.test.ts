import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import { startService, type Service } from '../src/service.ts';
import { expectedTokens, goldenCases, imageBytes, valuesOf, worstError } from './support/golden.ts';
import { serviceConfig } from './support/service-config.ts';
import { importFixture, scratchFolder } from './support/tiny-models.ts';

const scratch = scratchFolder();
const checkpoints = ['siglip-tiny', 'siglip-tiny-sharded', 'siglip-tiny-27'] as const;
let service: Service;

before(async () => {
  const models = [];
  for (const name of checkpoints) models.push({ name, folder: await importFixture(scratch.path, name) });
  for (const features of ['pre_norm', 'penultimate'] as const) {
    const folder = await importFixture(scratch.path, 'siglip-tiny', features);
    models.push({ name: `siglip-tiny-${features}`, folder });
  }
  service = await startService(serviceConfig({ models }), pino({ level: 'silent' }), () => {});
});
after(async () => {
  await service.close();
  scratch.remove();
});

/** The served models that must give a case's tokens. */
function modelsOf({ model = 'siglip-tiny', features = 'last_hidden_state' }: (typeof goldenCases)[number]) {
  if (features !== 'last_hidden_state') return [`${model}-${features}`];
  return model === 'siglip-tiny' ? ['siglip-tiny', 'siglip-tiny-sharded'] : [model];
}

const encodeCases = goldenCases
  .filter(({ rpc, model }) => rpc === 'Encode' && model?.startsWith('clip') !== true)
  .flatMap((golden) => modelsOf(golden).map((model) => ({ golden, model })));

for (const { golden, model } of encodeCases) {
  for (const dtype of ['float32', 'float16'] as const) {
    test(`HTTP gives transformers' tokens: ${golden.expected} from ${model} as ${dtype}`, async () => {
      const query = new URLSearchParams({
        model,
        dtype,
        format: 'raw',
        ...(golden.exif && { exif: golden.exif }),
      });
      const response = await fetch(`http://127.0.0.1:${service.httpPort}/v1/encode?${query.toString()}`, {
        method: 'POST',
        body: imageBytes(golden.image),
      });
      assert.equal(response.status, 200);
      const meta = JSON.parse(response.headers.get('tokens-meta') ?? '');
      assert.deepEqual(meta.shape, golden.shape);
      const tokens = valuesOf(new Uint8Array(await response.arrayBuffer()), dtype);
      const worst = worstError(tokens, expectedTokens(golden), dtype);
      assert.ok(worst <= 1, `off by ${worst} times the tolerance`);
    });
  }
}
