import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { answerMs, RemoteThread } from '../../../src/inference/remote/remote-thread.ts';
import type { EngineDown } from '../../../src/inference/remote/engine-down.ts';
import type { ServiceError } from '../../../src/errors/service-error.ts';
import { encoderSignature } from '../../../src/model/signature.ts';
import { model } from '../../recipes/model.ts';
import { InferenceServer } from '../../support/inference-server.ts';
import { until } from '../../support/until.ts';

const large = { ...model, imageSize: 512, grid: { width: 32, height: 32 }, channels: 1152 };
const wanted = { name: 'large', signature: encoderSignature(large), digest: large.digest };
const views = Array.from({ length: 16 }, (_, index) => new Uint8Array(512 * 512 * 3).fill(index + 1));

/** CPU time of the main thread. */
function mainMs(): number {
  const [nanoseconds] = readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ');
  return Number(nanoseconds) / 1e6;
}

const skip = process.platform !== 'linux' && 'only Linux tells the CPU time of a thread';

test('a batch of 12 MB with 38 MB of tokens costs the main thread a few milliseconds', {
  skip,
}, async (t) => {
  const server = new Worker(new URL('../../support/inference-server-thread.js', import.meta.url), {
    workerData: { signature: wanted.signature, model: wanted.name },
  });
  t.after(() => server.terminate());
  const [port] = (await once(server, 'message')) as [number];
  const thread = new RemoteThread();
  t.after(() => thread.close());
  await thread.connect({ host: '127.0.0.1', port, secure: false }, {});
  const task = { wanted, outputs: ['float16'], largest: 16, limitMs: 60_000 } as const;
  await thread.infer(views, task);
  const rounds = 5;
  const before = mainMs();
  for (let round = 0; round < rounds; round++) {
    const { tokens, finite } = await thread.infer(views, task);
    assert.equal(tokens.float16?.byteLength, 16 * 1024 * 1152 * 2);
    assert.equal(tokens.float16.at(-1), 16);
    assert.deepEqual(finite.float16, Array(16).fill(true));
  }
  const eachMs = (mainMs() - before) / rounds;
  t.diagnostic(`${eachMs.toFixed(1)} ms a batch`);
  assert.ok(eachMs < 20, `${eachMs} ms a batch`);
});

test('a thread that does not answer loses its batch, each of whose parts had its time', async (t) => {
  const server = await InferenceServer.start({ signature: wanted.signature, model: wanted.name });
  t.after(() => server.kill());
  server.hold = () => new Promise(() => {});
  const thread = new RemoteThread();
  t.after(() => thread.close());
  await thread.connect({ host: '127.0.0.1', port: server.port, secure: false }, {});
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let isOver = false;
  const task = { wanted, outputs: ['float16'], largest: 2, limitMs: 60_000 } as const;
  const lost = thread.infer(views.slice(0, 3), task).finally(() => {
    isOver = true;
  });
  const refused = assert.rejects(lost, ({ code, cause }: ServiceError) => {
    assert.deepEqual([code, String(cause)], ['unavailable', "Error: the engine's thread does not answer"]);
    return true;
  });
  await until(() => server.batches.length === 1);
  t.mock.timers.tick(2 * task.limitMs + answerMs - 1);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isOver, false);
  t.mock.timers.tick(1);
  await refused;
});

test('a fault in a thread that goes on is not called a lost thread', async (t) => {
  const server = await InferenceServer.start({ signature: wanted.signature, model: wanted.name });
  t.after(() => server.kill());
  const thread = new RemoteThread();
  t.after(() => thread.close());
  await thread.connect({ host: '127.0.0.1', port: server.port, secure: false }, {});
  const task = { wanted, outputs: ['embeddings_float16'], largest: 16, limitMs: 60_000 } as const;
  await assert.rejects(thread.infer(views.slice(0, 1), task), ({ code, message, cause }: EngineDown) => {
    assert.equal(code, 'unavailable');
    assert.equal(message, 'The remote engine cannot be used because of a fault in this service.');
    assert.equal(cause.message, 'the model has no output embeddings_float16');
    return true;
  });
  const { tokens } = await thread.infer(views.slice(0, 1), { ...task, outputs: ['float16'] });
  assert.equal(tokens.float16?.[0], 1);
});
