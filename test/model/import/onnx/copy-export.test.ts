import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { mkdir, readdir, readlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { it } from 'node:test';
import { copyExport } from '../../../../src/model/import/onnx/copy-export.ts';
import { ExportProblem } from '../../../../src/model/import/onnx/export-problem.ts';
import { temporaryFolder } from '../fixtures.ts';

/** Two threads create the copy and open its source: which is first differs from try to try. */
const tries = 40;

it('names a file of weights that can no longer be read', async (t) => {
  const folder = await temporaryFolder(t);
  const [graph, weights] = [join(folder, 'model.onnx'), join(folder, 'model.onnx_data')];
  await writeFile(graph, 'graph');
  for (let i = 0; i < tries; i += 1) {
    const out = join(folder, `${i}`);
    await mkdir(out);
    await writeFile(weights, 'weights');
    const copying = copyExport(out, graph, ['model.onnx_data'], {
      onProgress: () => rmSync(weights, { force: true }),
    });
    await assert.rejects(copying, (error) => {
      assert.ok(error instanceof ExportProblem);
      const message = 'needs model.onnx_data beside it, which cannot be read: no such file or directory';
      assert.equal(error.message, message);
      return true;
    });
  }
});

it('leaves no file open when a copy cannot be made', async (t) => {
  const folder = await temporaryFolder(t);
  const graph = join(folder, 'model.onnx');
  await writeFile(graph, 'graph');
  await writeFile(join(folder, 'encoder.onnx'), 'taken');
  for (let i = 0; i < tries; i += 1) {
    await assert.rejects(copyExport(folder, graph, [], {}), { code: 'EEXIST' });
  }
  assert.ok(!(await openFiles()).includes(graph));
});

/** The files that this process has open, where the system tells. */
async function openFiles(): Promise<(string | undefined)[]> {
  const descriptors = await readdir('/proc/self/fd').catch(() => []);
  return Promise.all(descriptors.map((each) => readlink(`/proc/self/fd/${each}`).catch(() => undefined)));
}
