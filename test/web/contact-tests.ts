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
  assert.match(text, /Views in the queue: \d+; engines up: 3 of 3/);
  await status.getByText(/[1-9]\d* views\/s|0\.\d+ views\/s/).waitFor();
  await status.getByRole('img', { name: /^Views a second over the last minute: now/ }).waitFor();
});

pageTest('says that no image came yet, and then how many views a second', {}, async (opened) => {
  const { page } = opened;
  const traffic = page.locator('.status summary');
  await page.route(/metrics$/, async (route) => {
    const response = await route.fetch();
    const text = await response.text();
    await route.fulfill({ response, body: text.replace(/^siglip_hd_(images_total|batch_views).*$/gm, '') });
  });
  await page.reload();
  await traffic.getByText('no images yet', { exact: true }).waitFor();
  assert.equal(await traffic.locator('.sparkline').count(), 0);
  await page.unroute(/metrics$/);
  await takeSample(opened, 'Coffee');
  await traffic.getByText(/^[\d.]+ views\/s$/).waitFor();
  await traffic.locator('.sparkline').waitFor();
});

pageTest(
  'asks again by itself after an outage that no look at the service has met',
  { errors: /ERR_/ },
  async (opened) => {
    const { page, panel } = opened;
    await takeSample(opened, 'Coffee');
    await page.route(/v1\/anyres-encode/, (route) => route.abort(), { times: 2 });
    await choose(panel(1), { recipe: 'anyres' });
    await panel(1).getByRole('alert').getByText('The service does not answer').waitFor();
    await hasTokens(panel(1));
    assert.equal(await page.getByRole('alert').count(), 0);
  },
);

pageTest('says that the service does not answer when its answers never come', {}, async ({ page }) => {
  await page.route(/metrics$/, () => {});
  await page.getByText('does not answer', { exact: true }).waitFor();
  await page.unroute(/metrics$/);
  await page.locator('.status').getByText('ready', { exact: true }).waitFor();
});

pageTest('learns the models anew after the service started again', {}, async ({ page, panel }) => {
  await page.waitForResponse(/metrics$/);
  await page.route(/v1\/models$/, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: (await response.text()).replaceAll('"plain"', '"other"') });
  });
  await page.route(/metrics$/, async (route) => {
    const response = await route.fetch();
    const text = await response.text();
    await route.fulfill({ response, body: text.replace(/^(process_start_time_seconds) .*$/m, '$1 1') });
  });
  await panel(1).getByLabel('Model').locator('option', { hasText: 'other' }).waitFor({ state: 'attached' });
});

pageTest('learns the models anew when an answer is of another one', {}, async (opened) => {
  const { page } = opened;
  await page.route(
    /v1\/models$/,
    async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, body: (await response.text()).replaceAll('"sha256:', '"sha256:0000') });
    },
    { times: 1 },
  );
  await page.reload();
  await page.locator('.status summary').click();
  await page.locator('.status code', { hasText: 'sha256:0000' }).first().waitFor();
  await takeSample(opened, 'Coffee');
  assert.equal(await page.locator('.status code', { hasText: 'sha256:0000' }).count(), 0);
});

pageTest(
  'goes on to ask for metrics after a failure, and not where they are not served',
  { errors: /500|404/ },
  async ({ page }) => {
    const status = page.locator('.status');
    await page.route(/metrics$/, (route) => route.fulfill({ status: 500 }));
    await page.reload();
    await page.waitForResponse(/metrics$/);
    await status.getByText('ready', { exact: true }).waitFor();
    await page.unroute(/metrics$/);
    await status.getByText(/views\/s/).waitFor();
    await page.route(/metrics$/, (route) => route.fulfill({ status: 404 }));
    await page.reload();
    await status.locator('summary').click();
    await status.getByText(/^\/metrics is not served here/).waitFor();
    await status.getByText('ready', { exact: true }).waitFor();
  },
);

pageTest(
  'says that the page must be reloaded when its worker does not load',
  { errors: /ERR_/ },
  async (opened) => {
    const { page } = opened;
    await page.route(/worker/, (route) => route.abort());
    await page.reload();
    await page.getByRole('button', { name: 'Coffee' }).click();
    const alert = page.getByLabel('Panels').getByText(/Reload the page\.$/);
    await alert.waitFor();
    const answered = page.waitForResponse(/v1\/encode/);
    await page.getByLabel('Panels').getByRole('button', { name: 'Try again' }).first().click();
    await answered;
    await alert.waitFor();
  },
);

pageTest(
  'offers to try again after any refusal of a proxy, such as one whose routes change',
  { errors: /404|403/ },
  async (opened) => {
    const { page, panel } = opened;
    const answers = [
      { status: 404, contentType: 'text/html', body: '<h1>404 Not Found</h1>' },
      { status: 403, json: { message: 'no route' } },
    ];
    await page.route(/v1\/encode/, async (route) => route.fulfill(answers.shift()), {
      times: answers.length,
    });
    await choose(panel(2), { recipe: 'anyres' });
    await page.getByRole('button', { name: 'Coffee' }).click();
    for (const status of ['Status 404', 'Status 403']) {
      const alert = panel(1).getByRole('alert');
      await alert.getByText(status).waitFor();
      await alert.getByRole('button', { name: 'Try again' }).click();
    }
    await hasTokens(panel(1));
  },
);

pageTest(
  'offers to try again once the time that the service or a proxy named is over',
  { errors: /429/ },
  async (opened) => {
    const { page, panel } = opened;
    await page.route(
      /v1\/encode/,
      (route) => route.fulfill({ status: 429, headers: { 'retry-after': '3' }, body: 'busy' }),
      { times: 1 },
    );
    await choose(panel(2), { recipe: 'anyres' });
    await page.getByRole('button', { name: 'Coffee' }).click();
    const alert = panel(1).getByRole('alert');
    await alert.getByText('Try again in 3.0 s.').waitFor();
    const button = alert.getByRole('button', { name: 'Try again' });
    assert.ok(await button.isDisabled());
    await button.click();
    await hasTokens(panel(1));
  },
);
