import assert from 'node:assert/strict';
import { choose, hasTokens, pageTest, site, takeSample } from './site.ts';

pageTest(
  'says that the service is away, and shows the tokens once it is back',
  { errors: /ERR_|Failed to fetch/ },
  async (opened) => {
    const { page, panel } = opened;
    const { proxy } = await site();
    await takeSample(opened, 'Coffee');
    await proxy.close();
    try {
      await page.getByText('does not answer', { exact: true }).waitFor();
      await panel(1).getByLabel('Recipe').selectOption('anyres');
      await panel(1).getByRole('alert').getByText('The service does not answer').waitFor();
    } finally {
      await proxy.open();
    }
    await page.locator('.status').getByText('ready', { exact: true }).waitFor();
    await hasTokens(panel(1));
    assert.equal(await page.getByRole('alert').count(), 0);
  },
);

pageTest('shows models, engines and load, from the service alone', {}, async (opened) => {
  const { page } = opened;
  // No other test asks for these weights, so no cache has the tokens.
  await choose(opened.panel(3), { options: { weights: '1,7' } });
  await takeSample(opened, 'Coffee');
  const status = page.locator('.status');
  await status.locator('summary').click();
  const text = await status.innerText();
  assert.match(text, /student\s+last_hidden_state\s+fp32\s+512 px, 32 x 32 x 32\s+cpu up\s+sha256:/);
  assert.match(text, /Queue \d+ views; engines up 3 of 3/);
  await status.getByText(/[1-9]\d* views\/s|0\.\d+ views\/s/).waitFor();
  await status.getByRole('img', { name: /^Views a second over the last minute: now/ }).waitFor();
});
