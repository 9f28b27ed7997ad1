import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openStubApp } from './stub-server.ts';

test('the index lists every model, or with {"ready": true} those that are ready', async () => {
  const { ask, encoder } = await openStubApp();
  const states = async (body?: string) => {
    const answer = await ask('/v2/repository/index', {
      method: 'POST',
      ...(body === undefined ? {} : { body }),
    });
    return ((await answer.json()) as { state: string }[]).map(({ state }) => state);
  };
  const ready = '{"ready": true}';
  assert.deepEqual(
    [await states(), await states('{}'), await states(ready)],
    [['READY'], ['READY'], ['READY']],
  );
  encoder.isReady = false;
  assert.deepEqual([await states(), await states('{"ready": false}')], [['UNAVAILABLE'], ['UNAVAILABLE']]);
  assert.deepEqual(await states(ready), []);
});

test('a body that does not ask for an index is refused', async () => {
  const { ask } = await openStubApp();
  for (const [body, status, error] of [
    ['{"ready": "yes"}', 400, /ready must be true or false/],
    ['[]', 400, /it must be \{"ready": true\}/],
    [' '.repeat(1025), 413, /over 1024 bytes: send \{"ready": true\} or no body/],
  ] as const) {
    const answer = await ask('/v2/repository/index', { method: 'POST', body });
    assert.equal(answer.status, status);
    assert.match(((await answer.json()) as { error: string }).error, error);
  }
});
