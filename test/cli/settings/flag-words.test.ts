import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeCommand } from '../../../src/cli/settings/encode.ts';
import { inFlags } from '../../../src/cli/settings/flag-words.ts';
import { commandHelp } from '../../../src/cli/settings/help.ts';

test('has no codes of the interface in --help', () => {
  assert.doesNotMatch(commandHelp(encodeCommand), /failed_precondition|output=|class_token/);
});

test('says what the service says of the options of a request in flags of the command line', () => {
  for (const [sentence, expected] of [
    [
      'output=pooled is one vector, made of the last hidden state: leave features out, or use output=features.',
      '--pooled is one vector, made of the last hidden state: leave --features out, or leave --pooled out.',
    ],
    [
      'output=embeddings has no class token: leave class_token out, or use output=features.',
      '--embeddings has no class token: leave --class-token out, or leave --embeddings out.',
    ],
    [
      'output=pooled is one vector of the whole image, and the anyres recipe has several views: use encode.',
      '--pooled is one vector of the whole image, and the anyres recipe has several views: use --recipe encode.',
    ],
    [
      'This projector takes no other: leave grid out, or use output=features.',
      'This projector takes no other: leave --grid out, or leave --embeddings out.',
    ],
    [
      'This fusion gives 64. Use fusion=average, or output=features.',
      'This fusion gives 64. Use --fusion average, or leave --embeddings out.',
    ],
    [
      'It answers 32x32, not 8x8. Leave grid out, or use fusion=average or concat.',
      'It answers 32x32, not 8x8. Leave --grid out, or use --fusion average or concat.',
    ],
    [
      'channel_order only applies to fusion=unshuffle_concat; leave it out with fusion=average.',
      '--channel-order only applies to --fusion unshuffle_concat; leave it out with --fusion average.',
    ],
    [
      'It gives pre_norm; ask for features=penultimate,-3.',
      'It gives pre_norm; ask for --features penultimate,-3.',
    ],
    ['Option features is "-2,penultimate", which', '--features is "-2,penultimate", which'],
    ['Use windows=tiles, or fewer or smaller scales.', 'Use --windows tiles, or fewer or smaller scales.'],
    [
      'The model "a" gives features of 32 channels, on a grid.',
      'The model "a" gives features of 32 channels, on a grid.',
    ],
  ] as const) {
    assert.equal(inFlags(sentence), expected);
  }
});

test('leaves names and paths in a sentence about options as they are', () => {
  for (const sentence of [
    'The model "dtype=float16" has no class token.',
    'photos/dtype=float16/a.jpg and photos/output=pooled/a.jpg would both become a.npy.',
    '/run/secrets/hf_token cannot be read: no such file or directory.',
    'sort_order.jpg is not an image.',
  ]) {
    assert.equal(inFlags(sentence), sentence);
  }
});
