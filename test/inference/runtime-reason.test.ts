import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runtimeReason } from '../../src/inference/runtime-reason.ts';

test('a reason of ONNX Runtime is one line, without colours, source code and a full stop', () => {
  assert.equal(
    runtimeReason('\u001b[1;31mFailed to load shared library.\u001b[m\n  at a.cc:1'),
    'Failed to load shared library',
  );
  assert.equal(
    runtimeReason(
      'Exception during initialization: /onnxruntime_src/onnxruntime/core/optimizer/frame.cc:74 ' +
        'onnxruntime::Info::Info(const std::function<bool(const std::string&)>&, const Logger&) ' +
        'External initializer: a given file_length: 9000 are out of bounds (or can not be read).\n\n',
    ),
    'Exception during initialization: External initializer: a given file_length: 9000 are out of bounds (or can not be read)',
  );
  assert.equal(runtimeReason('a\tb\0c'), 'a?b?c');
  assert.equal(runtimeReason('x'.repeat(1000)).length, 303);
});
