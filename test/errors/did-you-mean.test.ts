import assert from 'node:assert/strict';
import { test } from 'node:test';
import { didYouMean } from '../../src/errors/did-you-mean.ts';

const commands = ['serve', 'import', 'encode', 'compare', 'bench'];

test('suggests the nearest known name after a typing mistake', () => {
  assert.equal(didYouMean('sevre', commands), ' Did you mean "serve"?');
  assert.equal(didYouMean('improt', commands), ' Did you mean "import"?');
  assert.equal(didYouMean('encoder', commands), ' Did you mean "encode"?');
  assert.equal(
    didYouMean('--max_queued-view', ['--max-queued-views']),
    ' Did you mean "--max-queued-views"?',
  );
  assert.equal(didYouMean('PENULTIMATE', ['pre_norm', 'penultimate']), ' Did you mean "penultimate"?');
});

test('suggests nothing where no known name is near', () => {
  assert.equal(didYouMean('status', commands), '');
  assert.equal(didYouMean('--port', ['--host', '--http-port']), '');
  assert.equal(didYouMean('', commands), '');
  assert.equal(didYouMean('serve', []), '');
});

test('answers at once, however long the name is', () => {
  assert.equal(didYouMean('serve'.repeat(200_000), commands), '');
});
