import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FuzzCase } from '../../../bench/fuzz/case.ts';
import { fuzzCase } from '../../../bench/fuzz/cases.ts';
import { readCorpus } from '../../../bench/fuzz/corpus.ts';
import { startFuzzedService } from '../../../bench/fuzz/fuzzed-service.ts';
import { fuzz } from '../../../bench/fuzz/run.ts';
import { scratchFolder } from '../../support/tiny-models.ts';

test('makes the same case of the same seed and number, whatever came before, and another of others', async () => {
  const corpus = await readCorpus();
  const text = (seed: number, number: number) => JSON.stringify(fuzzCase(corpus, seed, number));
  const all = Array.from({ length: 400 }, (_, number) => text(1, number));
  assert.deepEqual(
    [399, 8, 200].map((number) => text(1, number)),
    [all[399], all[8], all[200]],
  );
  assert.ok(new Set([...all, text(2, 8)]).size > 390);
  const kinds = new Set(all.map((each) => (JSON.parse(each) as FuzzCase).kind));
  assert.deepEqual([...kinds].toSorted(), ['frames', 'grpc', 'http', 'raw']);
});

test('400 mutated images, bodies, messages and options bring about no hang, no 5xx and no end', async () => {
  const corpus = await readCorpus();
  const service = await startFuzzedService();
  const scratch = scratchFolder();
  try {
    const range = { seed: 7, from: 0, to: 400, folder: scratch.path, isPatient: false };
    const { cases, endings, findings } = await fuzz(service, corpus, range, () => undefined);
    assert.deepEqual(findings, []);
    assert.equal(cases, 400);
    for (const ending of ['http 200', 'http 400 invalid_argument', 'grpc 0', 'grpc 3 invalid_argument']) {
      assert.ok((endings[ending] ?? 0) > 0, `${ending} in ${JSON.stringify(endings)}`);
    }
  } finally {
    await service.close();
    scratch.remove();
  }
});
