import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { loadSync } from '@grpc/proto-loader';
import { runProgram } from '../support/external.ts';
import { choose, pageTest, site, takeSample } from './site.ts';
import { sampleBytes } from './reference.ts';

const options = { fusion: 'concat', scales: '512,1024', grid: '16x16' };

pageTest('gives the request as curl, which has the same tokens', {}, async (opened, t) => {
  const { panel } = opened;
  await choose(panel(3), { model: 'student', options });
  await takeSample(opened, 'Coffee');
  await panel(3).getByText('Request', { exact: true }).click();
  const command = await panel(3).locator('pre').innerText();
  const folder = mkdtempSync(join(tmpdir(), 'siglip-hd-test-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const { exitCode, stderr } = await runProgram(
    'sh',
    ['-c', `cd ${folder} && cp "$SAMPLE" . && ${command}`],
    {
      SAMPLE: join(process.cwd(), 'web/samples/coffee.jpg'),
    },
  );
  assert.equal(exitCode, 0, stderr);
  const { service } = await site();
  const query = new URLSearchParams({ model: 'student', ...options });
  const answer = await fetch(`http://127.0.0.1:${service.httpPort}/v1/teacher-encode?${query.toString()}`, {
    method: 'POST',
    body: sampleBytes('coffee.jpg'),
  });
  assert.deepEqual(readFileSync(join(folder, 'tokens.npy')), Buffer.from(await answer.arrayBuffer()));
});

pageTest('gives the request as Python and as a gRPC message of the contract', {}, async (opened) => {
  const { panel } = opened;
  await choose(panel(3), { model: 'student', options });
  await takeSample(opened, 'Coffee');
  await panel(3).getByText('Request', { exact: true }).click();
  const pre = panel(3).locator('pre');
  await panel(3).getByLabel('Python').check();
  assert.match(
    await pre.innerText(),
    /client\.teacher_encode\("coffee\.jpg", model="student", fusion="concat", scales=\(512, 1024,\), grid=\(16, 16\)\)/,
  );
  await panel(3).getByLabel('gRPC').check();
  const [, json = ''] = /printf '(.*)' "/.exec(await pre.innerText()) ?? [];
  const definition = loadSync('siglip_hd/v1/encoder.proto', { includeDirs: ['proto'] });
  const service = definition['siglip_hd.v1.VisualEncoderService'] as Record<
    string,
    { requestSerialize(message: object): Buffer; requestDeserialize(bytes: Buffer): object }
  >;
  const { TeacherEncode: method } = service;
  const message = method!.requestDeserialize(
    method!.requestSerialize(JSON.parse(json.replace('%s', '')) as object),
  );
  const { teacher, options: common } = message as {
    teacher: { fusion: number; scales: number[]; grid: object };
    options: { model: string };
  };
  assert.deepEqual(
    [teacher.fusion, teacher.scales, { ...teacher.grid }],
    [2, [512, 1024], { width: 16, height: 16 }],
  );
  assert.equal(common.model, 'student');
  await panel(3).getByLabel('vLLM').check();
  assert.match(await pre.innerText(), /no projector/);
});

pageTest(
  'shows what an answer cost: the stages of Server-Timing, bytes and the cache',
  {},
  async (opened) => {
    const { page, panel } = opened;
    await takeSample(opened, 'Coffee');
    await panel(1)
      .getByText(/^Cost:/)
      .click();
    const cost = await panel(1).locator('.cost').innerText();
    for (const stage of ['decode', 'views', 'queue', 'engine', 'assemble', 'write'])
      assert.ok(cost.includes(stage), cost);
    assert.match(cost, /65,536 received/);
    await page.getByRole('button', { name: 'Rocket' }).click();
    await panel(1)
      .getByText(/rocket/)
      .waitFor({ state: 'attached' });
    await takeSample(opened, 'Coffee');
    await panel(1)
      .getByText(/cache hit/)
      .waitFor();
  },
);
