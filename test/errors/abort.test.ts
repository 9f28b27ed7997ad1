import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RequestAbort } from '../../src/errors/abort.ts';

test('calls every listener once, in order, and keeps the reason of the first abort', () => {
  const abort = new RequestAbort();
  const heard: string[] = [];
  abort.signal.addEventListener('abort', () => heard.push(`first ${String(abort.signal.reason)}`));
  abort.signal.addEventListener('abort', () => heard.push('second'));
  assert.equal(abort.signal.aborted, false);
  abort.abort('gone');
  abort.abort('late');
  assert.deepEqual(heard, ['first gone', 'second']);
  assert.equal(abort.signal.aborted, true);
  assert.equal(abort.signal.reason, 'gone');
});

test('calls no listener that has been removed, not even while it fires', () => {
  const abort = new RequestAbort();
  const heard: string[] = [];
  const early = (): void => void heard.push('early');
  const late = (): void => void heard.push('late');
  abort.signal.addEventListener('abort', early);
  abort.signal.addEventListener('abort', () => abort.signal.removeEventListener('abort', late));
  abort.signal.addEventListener('abort', late);
  abort.signal.removeEventListener('abort', early);
  abort.abort('gone');
  assert.deepEqual(heard, []);
});

test('takes a listener after it has fired, as an AbortSignal does, and never calls it', () => {
  const abort = new RequestAbort();
  abort.abort('gone');
  abort.signal.addEventListener('abort', () => assert.fail('it was called'));
  abort.abort('late');
});
