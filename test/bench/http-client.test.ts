import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseServerTiming } from '../../bench/load/http-client.ts';

test('reads the stages of a Server-Timing header', () => {
  assert.deepEqual(parseServerTiming('decode;dur=1.25, views;dur=2, engine;dur=0.00'), {
    decode: 1.25,
    views: 2,
    engine: 0,
  });
});
