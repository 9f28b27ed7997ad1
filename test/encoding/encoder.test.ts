import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { Encoder } from '../../src/encoding/encoder.ts';
import type { ImageInput } from '../../src/image/raster.ts';
import { serviceConfig } from '../support/service-config.ts';

test('while the models load, each image that is encoded separately fails, and nothing is thrown', async () => {
  const encoder = new Encoder(serviceConfig(), {}, pino({ level: 'silent' }), () => assert.fail());
  const image: ImageInput = { kind: 'raster', raster: { width: 1, height: 1, data: new Uint8Array(3) } };
  const outcomes = encoder.encodeEach({
    images: [image, image],
    recipe: { recipe: 'encode' },
    options: { dtype: 'float16', exif: 'apply' },
    signal: new AbortController().signal,
  });
  const seen = (await Promise.all(outcomes)).map((one) =>
    one.kind === 'failed' ? [one.index, one.error.code, one.error.retryAfterMs] : [],
  );
  assert.deepEqual(seen, [
    [0, 'unavailable', 1000],
    [1, 'unavailable', 1000],
  ]);
});
