import assert from 'node:assert/strict';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { importModel } from '../../../src/model/import/import-model.ts';
import { encodeView } from './encode-view.ts';
import { fixture, temporaryFolder } from './fixtures.ts';
import { largestDifference, runGraph } from './run-graph.ts';

interface ProcessorCase {
  readonly name: string;
  readonly tower: 'siglip' | 'clip';
  /** Folder with other files of its weights. */
  readonly weights?: string;
  readonly files: Readonly<Record<string, object>>;
  readonly imageSize?: number;
  /** Row in expected.npy of the first token. */
  readonly start: number;
  readonly tokens: number;
}

const cases = JSON.parse(await readFile(fixture('checkpoints/cases.json'), 'utf8')) as ProcessorCase[];
const npy = await readFile(fixture('checkpoints/expected.npy'));
const expected = new Float32Array(Uint8Array.from(npy.subarray(10 + npy.readUInt16LE(8))).buffer);
const channels = 8;

describe("a checkpoint gives the tokens of transformers' own processor and tower", () => {
  for (const { name, tower, weights, files, imageSize, start, tokens } of cases) {
    it(`with ${name}`, async (t) => {
      const folder = await temporaryFolder(t);
      const source = join(folder, 'checkpoint');
      await cp(fixture(`checkpoints/${tower}`), source, { recursive: true });
      if (weights !== undefined) {
        await rm(join(source, 'model.safetensors'));
        await cp(fixture(`checkpoints/${weights}`), source, { recursive: true });
      }
      for (const [file, content] of Object.entries(files)) {
        await writeFile(join(source, file), JSON.stringify(content));
      }
      const out = join(folder, 'model');
      const model = await importModel({
        source,
        out,
        features: ['last_hidden_state'],
        precision: 'fp32',
        towerOnly: true,
        imageSize,
      });
      assert.equal(model.grid.width * model.grid.height, tokens);
      const { float32 } = await runGraph(out, [await encodeView('alpha.png', model)]);
      const want = expected.subarray(start * channels, (start + tokens) * channels);
      const difference = largestDifference(float32, want);
      assert.ok(difference <= 5e-5 * Math.max(1, ...want.map(Math.abs)), `${difference}`);
    });
  }
});
