import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { WorkerStart } from '../../src/inference/worker-protocol.ts';
import { startFailure, WorkerEngine } from '../../src/inference/worker-engine.ts';
import type { ServiceError } from '../../src/errors/service-error.ts';
import { graphFile } from '../../src/model/graph-io.ts';
import { importModel } from '../../src/model/import/import-model.ts';

const scratch = mkdtempSync(join(tmpdir(), 'engine-'));
const folder = join(scratch, 'model');
const imageSize = 512;
const start = ({ modelFolder = folder, cuda = false } = {}): WorkerStart => ({
  folder: modelFolder,
  graphs: [graphFile],
  device: cuda ? { kind: 'cuda', deviceId: 0 } : { kind: 'cpu' },
  threads: 1,
  input: { kind: 'pixels', side: imageSize },
});

function view(seed: number): Uint8Array<ArrayBuffer> {
  let state = seed;
  return Uint8Array.from({ length: imageSize * imageSize * 3 }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 24;
  });
}

const floats = (bytes: Uint8Array<ArrayBuffer> | undefined) =>
  new Float32Array(bytes!.buffer, bytes!.byteOffset, bytes!.byteLength / 4);

before(async () => {
  await importModel({
    source: 'test/fixtures/siglip-tiny',
    out: folder,
    features: ['last_hidden_state'],
    precision: 'fp32',
  });
});
after(() => rmSync(scratch, { recursive: true }));

test('a view in a batch gets the tokens it gets alone, within tolerance', async () => {
  const engine = await WorkerEngine.start(start(), () => {});
  const alone = floats((await engine.encode([view(2)], ['float32'])).tokens.float32);
  const batch = await engine.encode([view(1), view(2), view(3)], ['float32']);
  const second = floats(batch.tokens.float32).subarray(alone.length, 2 * alone.length);
  const largest = alone.reduce((most, value, index) => Math.max(most, Math.abs(value - second[index]!)), 0);
  assert.ok(largest < 2e-5, `they differ by ${largest}`);
  assert.deepEqual(batch.finite, { float32: [true, true, true] });
  await engine.close();
});

test('engines that share their weights give the tokens of one that has its own, within tolerance', async () => {
  const engines = await Promise.all(
    [false, true, true].map((sharesWeights) => WorkerEngine.start({ ...start(), sharesWeights }, () => {})),
  );
  const encode = async (engine: WorkerEngine) =>
    floats((await engine.encode([view(2)], ['float32'])).tokens.float32);
  const [own, ...shared] = await Promise.all(engines.map(encode));
  for (const tokens of shared) {
    const largest = own!.reduce((most, value, index) => Math.max(most, Math.abs(value - tokens[index]!)), 0);
    assert.ok(largest < 2e-5, `they differ by ${largest}`);
  }
  await Promise.all(engines.map((engine) => engine.close()));
});

test('gives only the dtypes asked for, in buffers that can go on to another thread', async () => {
  const engine = await WorkerEngine.start(start(), () => {});
  const { tokens } = await engine.encode([view(1)], ['float16']);
  assert.deepEqual(Object.keys(tokens), ['float16']);
  assert.equal(tokens.float16!.byteLength, 1024 * 32 * 2);
  structuredClone(tokens.float16!.buffer, { transfer: [tokens.float16!.buffer] });
  assert.equal(tokens.float16!.byteLength, 0);
  await engine.close();
});

test('runs in the order of the calls', async () => {
  const engine = await WorkerEngine.start(start(), () => {});
  const ended: number[] = [];
  await Promise.all(
    [0, 1, 2].map(async (index) => {
      await engine.encode([view(index)], ['float16']);
      ended.push(index);
    }),
  );
  assert.deepEqual(ended, [0, 1, 2]);
  await engine.close();
});

test('a batch of the wrong size fails alone, and the next one runs', async () => {
  const engine = await WorkerEngine.start(start(), () => {});
  await assert.rejects(engine.encode([new Uint8Array(12)], ['float16']), { code: 'internal' });
  assert.equal((await engine.encode([view(1)], ['float16'])).finite.float16?.[0], true);
  await engine.close();
});

test('a model without a graph ends the start with a sentence that names the folder', async () => {
  const modelFolder = join(scratch, 'absent');
  await assert.rejects(
    WorkerEngine.start(start({ modelFolder }), () => {}),
    (error: ServiceError) => error.code === 'failed_precondition' && error.message.includes(modelFolder),
  );
});

test('a CUDA device that cannot be used ends the start with a sentence that says what is missing', async () => {
  await assert.rejects(
    WorkerEngine.start(start({ cuda: true }), () => {}),
    (error: ServiceError) =>
      error.code === 'failed_precondition' && /cuda:0 .*--device cpu/s.test(error.message),
  );
});

test('the sentence has no colours, no second line, and a full stop after the reason', () => {
  const reason = '\u001b[1;31mFailed to load shared library\u001b[m\n  at a.cc:1';
  assert.match(
    startFailure(start({ cuda: true }), reason),
    /: Failed to load shared library\. It needs an NVIDIA/,
  );
  assert.match(startFailure(start(), 'No such graph.'), /: No such graph\.$/);
});

test('closing ends the thread; what was pending is told, and so is whoever asks later', async () => {
  let down = 0;
  const engine = await WorkerEngine.start(start(), () => down++);
  const pending = assert.rejects(engine.encode([view(1)], ['float16']), { code: 'unavailable' });
  await engine.close();
  await pending;
  await assert.rejects(engine.encode([view(1)], ['float16']), { code: 'unavailable' });
  assert.equal(down, 0, 'it did not end by itself');
});

test('a thread that dies rejects what was pending and whatever comes, and is told of once', async () => {
  const told: ServiceError[] = [];
  const script = new URL('./dying-engine.js', import.meta.url);
  const engine = await WorkerEngine.start(start(), (error) => told.push(error), script);
  const pending = [engine.encode([view(1)], ['float16']), engine.encode([view(2)], ['float16'])];
  for (const batch of pending) await assert.rejects(batch, { code: 'unavailable' });
  await assert.rejects(engine.encode([view(3)], ['float16']), { code: 'unavailable' });
  await engine.close();
  assert.equal(told.length, 1);
  assert.match(String(told[0]!.cause), /engine thread exited with 3/);
});

test('views that cannot be handed to the thread fail alone', async () => {
  const engine = await WorkerEngine.start(start(), () => {});
  const taken = view(1);
  structuredClone(taken, { transfer: [taken.buffer] });
  await assert.rejects(engine.encode([taken], ['float16']), { code: 'internal' });
  await engine.encode([view(2)], ['float16']);
  await engine.close();
});
