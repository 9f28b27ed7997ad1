import assert from 'node:assert/strict';
import { compareTokens, summarise } from '../../src/tokens/compare-tokens.ts';
import { choose, hasTokens, pageTest, takeSample } from './site.ts';
import { tokensOf } from './reference.ts';

pageTest('compares two panels with the figures of siglip-hd compare', {}, async (opened) => {
  const { page } = opened;
  await takeSample(opened, 'Coffee');
  const comparison = page.getByLabel('Comparison');
  await comparison.getByRole('combobox', { name: 'A', exact: true }).selectOption('1');
  await comparison.getByRole('combobox', { name: 'B', exact: true }).selectOption('3');
  await comparison.getByText('mean cosine').waitFor();
  const a = await tokensOf('coffee.jpg', 'encode', { model: 'student' });
  const b = await tokensOf('coffee.jpg', 'teacher-encode', {});
  const { cosine, meanL1 } = summarise([compareTokens(a.data, b.data, a.channels)]);
  const figures = await comparison.locator('table').innerText();
  const figure = (name: string): number => Number(new RegExp(`${name}\\s+([\\d.-]+)`).exec(figures)?.[1]);
  assert.ok(Math.abs(figure('mean cosine') - cosine.mean) < 1e-5, figures);
  assert.ok(Math.abs(figure('1st percentile') - cosine.percentile1) < 1e-5);
  assert.ok(Math.abs(figure('least cosine') - cosine.minimum) < 1e-5);
  await comparison.getByText('Of tokens in float16.').waitFor();
  assert.ok(Math.abs(figure('mean \\|A - B\\|') / meanL1 - 1) < 0.01);
  await comparison.getByRole('combobox', { name: 'Map' }).selectOption('difference');
  await comparison.getByRole('img', { name: 'Map of the differences' }).waitFor();
});

pageTest('says why two panels of different shapes are not compared', {}, async (opened) => {
  const { page, panel } = opened;
  await choose(panel(2), { model: 'clip' });
  await takeSample(opened, 'Coffee');
  await page.getByLabel('Comparison').getByRole('combobox', { name: 'A', exact: true }).selectOption('1');
  await page
    .getByLabel('Comparison')
    .getByText(/One has 1024 tokens of 32 channels, the other /)
    .waitFor();
});

pageTest(
  'says which of two panels has no tokens to compare, and why, and compares once it has',
  { errors: /400/ },
  async (opened) => {
    const { page, panel } = opened;
    const comparison = page.getByLabel('Comparison');
    await takeSample(opened, 'Coffee');
    await comparison.getByRole('combobox', { name: 'A', exact: true }).selectOption('1');
    await comparison.getByRole('combobox', { name: 'B', exact: true }).selectOption('3');
    await comparison.getByText('mean cosine').waitFor();
    let release = (): void => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    await page.route(/v1\/teacher-encode/, async (route) => {
      await held;
      await route.continue();
    });
    await choose(panel(3), { options: { scales: '512,1536' } });
    await comparison.getByText('Panel 3 has no tokens yet.', { exact: true }).waitFor();
    release();
    await comparison.getByText('mean cosine').waitFor();
    const scales = panel(3).getByLabel('scales', { exact: true });
    await scales.fill('500');
    await scales.press('Enter');
    await comparison.getByText(/^Panel 3 failed: The request is not valid\. .*500/).waitFor();
    assert.equal(await comparison.getByRole('img').count(), 0);
    await scales.fill('512');
    await scales.press('Enter');
    await comparison.getByText('mean cosine').waitFor();
  },
);

pageTest('adds and removes panels, down to one', {}, async (opened) => {
  const { page, panel } = opened;
  await takeSample(opened, 'Coffee');
  await page.getByRole('button', { name: 'Add a panel' }).click();
  await hasTokens(panel(4));
  for (let left = 3; left >= 1; left--) {
    await panel(1).getByRole('button', { name: 'Remove panel 1' }).click();
    assert.equal(await page.getByRole('article').count(), left);
  }
  assert.ok(await panel(1).getByRole('button', { name: 'Remove panel 1' }).isDisabled());
});
