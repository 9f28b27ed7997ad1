import assert from 'node:assert/strict';
import { test } from 'node:test';
import { outageReason } from '../../src/encoding/remote-reports.ts';
import { type ErrorCode, ServiceError } from '../../src/errors/service-error.ts';

const reasonOf = (text: string, code: ErrorCode = 'unavailable') =>
  outageReason(new ServiceError(code, 'The engine cannot be reached.', { cause: new Error(text) }));

test('says in a phrase why a remote engine does not work', () => {
  for (const [text, reason] of [
    ['grpc://a:8001 cannot be reached: connection refused', 'cannot be reached: connection refused'],
    ['grpc://a:8001 did not answer ModelInfer within 60 s', 'did not answer ModelInfer within 60 s'],
    ['its model tiny is not ready', 'its model tiny is not ready'],
  ] as const) {
    assert.equal(reasonOf(text), reason);
  }
  const other = "The remote engine's model tiny has no input pixels, which is UINT8 [-1, 32, 32, 3].";
  assert.equal(outageReason(new ServiceError('failed_precondition', other)), 'serves another model');
});

test("keeps a server's own words and paths of this machine from callers", () => {
  const traceback = 'Traceback:\n  File "/opt/models/secret.py", line 3\n'.repeat(99);
  for (const [text, reason] of [
    [
      `grpc://a:8001/tiny answered ModelInfer with INTERNAL: ${traceback}`,
      'answered ModelInfer with INTERNAL',
    ],
    [
      '/run/secrets/token cannot be read: no such file or directory',
      'a file of its credentials cannot be read: no such file or directory',
    ],
    ["the engine's thread failed: Cannot find module '/app/a.js'", "the engine's thread failed"],
  ] as const) {
    assert.equal(reasonOf(text), reason);
  }
  assert.equal(reasonOf(`grpcs://a:8001: the answer's tokens is ${'x'.repeat(9999)}\nno`).length, 200);
});
