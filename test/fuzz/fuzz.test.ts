import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FuzzCase, fuzzCase } from '../../bench/fuzz/cases.ts';
import { readCorpus } from '../../bench/fuzz/corpus.ts';
import { fuzz } from '../../bench/fuzz/run.ts';
import { startStub } from '../../bench/load/stub-process.ts';

test('makes the same case of the same seed and number, and another of others', async () => {
  const corpus = await readCorpus();
  const text = (seed: number, number: number) => JSON.stringify(fuzzCase(corpus, seed, number));
  assert.equal(text(3, 8), text(3, 8));
  const cases = Array.from({ length: 400 }, (_, number) => fuzzCase(corpus, 1, number));
  assert.ok(new Set(cases.map((each) => JSON.stringify(each))).size > 390);
  const kinds = new Set(cases.map(({ kind }: FuzzCase) => kind));
  assert.deepEqual([...kinds].toSorted(), ['grpc', 'http', 'raw']);
});

test('400 mutated images, bodies, messages and options bring about no hang, no 5xx and no end', async () => {
  const corpus = await readCorpus();
  const service = await startStub({
    batchMs: 1,
    viewMs: 0,
    channels: 8,
    batch: 16,
    queued: 512,
    flags: ['--max-body-bytes=1MiB', '--max-pixels=20000000'],
  });
  try {
    const { endings, findings } = await fuzz(service, corpus, { seed: 7, from: 0, to: 400 }, () => undefined);
    assert.deepEqual(findings, []);
    assert.ok((endings['http 200'] ?? 0) > 0 && (endings['http 400'] ?? 0) > 0, JSON.stringify(endings));
    assert.ok((endings['grpc 0'] ?? 0) > 0 && (endings['grpc 3'] ?? 0) > 0, JSON.stringify(endings));
  } finally {
    await service.close();
  }
});
