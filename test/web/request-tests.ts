import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { runProgram } from '../support/external.ts';
import { choose, pageTest, site, takeSample } from './site.ts';
import { sampleBytes } from './reference.ts';

const options = { fusion: 'concat', scales: '512,1024', grid: '16x16' };

pageTest(
  'gives the request for a sample as curl, which fetches the sample and has the same tokens',
  {},
  async (opened, t) => {
    const { panel } = opened;
    await choose(panel(3), { model: 'student', options });
    await takeSample(opened, 'Coffee');
    await panel(3).getByText('Request', { exact: true }).click();
    const command = await panel(3).locator('pre').innerText();
    const folder = mkdtempSync(join(tmpdir(), 'siglip-hd-test-'));
    t.after(() => rmSync(folder, { recursive: true }));
    const { exitCode, stderr } = await runProgram('sh', ['-c', `cd ${folder} && ${command}`]);
    assert.equal(exitCode, 0, stderr);
    const { service } = await site();
    const query = new URLSearchParams({ model: 'student', ...options });
    const answer = await fetch(`http://127.0.0.1:${service.httpPort}/v1/teacher-encode?${query.toString()}`, {
      method: 'POST',
      body: sampleBytes('coffee.jpg'),
    });
    assert.deepEqual(readFileSync(join(folder, 'tokens.npy')), Buffer.from(await answer.arrayBuffer()));
  },
);

pageTest('tells a screen reader that a request is copied, and what an option does', {}, async (opened) => {
  const { page, panel } = opened;
  await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
  await takeSample(opened, 'Coffee');
  await panel(3).getByText('Request', { exact: true }).click();
  await panel(3).getByRole('button', { name: 'Copy' }).click();
  await panel(3).getByRole('status').getByText('Copied', { exact: true }).waitFor();
  await panel(3).getByText('Options').click();
  const field = panel(3).getByLabel('scales', { exact: true });
  const description = page.locator(`#${await field.getAttribute('aria-describedby')}`);
  assert.match(await description.innerText(), /^Sides of the squares/);
});

pageTest("names the service's own gRPC port", {}, async (opened) => {
  const { panel } = opened;
  await takeSample(opened, 'Coffee');
  await panel(1).getByText('Request', { exact: true }).click();
  await panel(1).getByLabel('gRPC').check();
  const { service } = await site();
  assert.match(await panel(1).locator('pre').innerText(), new RegExp(`127\\.0\\.0\\.1:${service.grpcPort} `));
});

pageTest('gives a part for vLLM only of a model with a projector', {}, async (opened) => {
  const { panel } = opened;
  await takeSample(opened, 'Coffee');
  await panel(3).getByText('Request', { exact: true }).click();
  await panel(3).getByLabel('vLLM').check();
  const request = panel(3).locator('.requests');
  await request.getByText(/^This model has no projector/).waitFor();
  assert.equal(await request.locator('pre').count(), 0);
  assert.equal(await request.getByRole('button', { name: 'Copy' }).count(), 0);
});

pageTest(
  'shows what an answer cost: the stages of Server-Timing, bytes and the cache',
  {},
  async (opened) => {
    const { page, panel } = opened;
    // No other test takes it, so no cache has its tokens.
    await takeSample(opened, 'Chart');
    await panel(1)
      .getByText(/^Cost:/)
      .click();
    const cost = await panel(1).locator('.cost').innerText();
    for (const stage of ['decode', 'views', 'queue', 'engine', 'assemble', 'write'])
      assert.ok(cost.includes(stage), cost);
    assert.match(cost, /65,536 received/);
    assert.match(cost, /Largest batch: \d+ views?, /);
    await page.getByRole('button', { name: 'Rocket' }).click();
    await panel(1)
      .getByText(/rocket/)
      .waitFor({ state: 'attached' });
    await takeSample(opened, 'Chart');
    await panel(1)
      .getByText(/cache hit/)
      .click();
    assert.match(await panel(1).locator('.cost').innerText(), /No batch was run for this request/);
  },
);

/** A row of the cost: what it says, and where its bar is. */
interface CostRow {
  readonly ms: number;
  readonly left: number;
  readonly right: number;
}

const costRows = `[...document.querySelectorAll('.cost[open] tr')].map((row) => {
  const { left, right } = row.querySelector('.bars div').getBoundingClientRect();
  return { ms: Number.parseFloat(row.querySelector('.number').textContent), left, right };
})`;

pageTest(
  'draws the stages one after the other, and they add up to the time of the answer',
  {},
  async (opened) => {
    const { page, panel } = opened;
    // No other test asks for these tiles, so no cache has the tokens.
    await choose(panel(1), { recipe: 'anyres', options: { max_tiles: '3' } });
    await takeSample(opened, 'Invoice', 1);
    const cost = panel(1).locator('.cost');
    await cost.locator('summary').click();
    const heading = await cost.locator('summary').innerText();
    const rows: readonly CostRow[] = await page.evaluate(costRows);
    assert.match(await cost.innerText(), /an engine ran any of its \d views/);
    assert.match(
      heading,
      new RegExp(`^Cost: ${rows.reduce((sum, { ms }) => sum + ms, 0).toFixed(1)} ms, cache miss$`),
    );
    for (const [index, { left }] of rows.entries()) {
      const before = rows[index - 1];
      if (before !== undefined) assert.ok(Math.abs(left - before.right) < 1.5, JSON.stringify(rows));
    }
  },
);
