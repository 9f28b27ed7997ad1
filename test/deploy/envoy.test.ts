import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const config = readFileSync(new URL('../../../deploy/envoy/siglip-hd.yaml', import.meta.url), 'utf8');

test("Envoy's configuration has neither anchors nor merge keys, which Envoy does not know", () => {
  assert.doesNotMatch(config, /<<:|: [&*]\w/);
});
