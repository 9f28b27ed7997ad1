import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { TestContext } from 'node:test';
import type { Page } from 'playwright-core';
import { pino } from 'pino';
import { startService } from '../../src/service.ts';
import { readKeyList } from '../../src/transport/security/api-key.ts';
import { serviceConfig } from '../support/service-config.ts';
import { importFixture, scratchFolder } from '../support/tiny-models.ts';
import { choose, pageTest, takeSample } from './site.ts';

/** A service that asks for a key, and serves one model. */
async function lockedUrl(t: TestContext): Promise<string> {
  const scratch = scratchFolder();
  const reading = readKeyList('ada:ada-0123456789abcdef');
  assert.ok(reading.ok);
  const models = [{ name: 'only', folder: await importFixture(scratch.path, 'siglip-tiny') }];
  const service = await startService(
    serviceConfig({ models, apiKeys: reading.keys }),
    pino({ level: 'silent' }),
    () => {},
  );
  t.after(async () => {
    await service.close();
    scratch.remove();
  });
  return `http://127.0.0.1:${service.httpPort}/`;
}

pageTest(
  'asks for a key where the service wants one, and uses it',
  { errors: /401/, url: lockedUrl },
  async (opened) => {
    const { page, requests } = opened;
    const dialog = page.getByRole('dialog', { name: 'API key' });
    await dialog.getByText(/An API key is required/).waitFor();
    await dialog.getByLabel('Key', { exact: true }).fill('wrong-0123456789abcdef');
    await dialog.getByRole('button', { name: 'Use this key' }).click();
    await dialog.getByText('The API key is not valid.').waitFor();
    await dialog.getByLabel('Key', { exact: true }).fill('ada-0123456789abcdef');
    await dialog.getByRole('button', { name: 'Use this key' }).click();
    await takeSample(opened, 'Coffee', 2);
    const kept = await page.evaluate(
      'JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])',
    );
    assert.equal(kept, '[{},{},""]');
    assert.ok(requests.every((request) => !request.url().includes('ada-')));
  },
);

pageTest(
  'sends no key to endpoints that need none, and says which characters no key has',
  { errors: /401/, url: lockedUrl },
  async (opened) => {
    const { page, requests } = opened;
    const dialog = page.getByRole('dialog', { name: 'API key' });
    const field = dialog.getByLabel('Key', { exact: true });
    await field.fill('schl\u00fcssel-\u20ac-0123456789');
    await dialog.getByRole('button', { name: 'Use this key' }).click();
    await dialog
      .getByRole('alert')
      .getByText(/only letters, digits and signs of ASCII/)
      .waitFor();
    await field.fill('ada-0123456789abcdef');
    await dialog.getByRole('button', { name: 'Use this key' }).click();
    await takeSample(opened, 'Coffee', 2);
    await page.waitForResponse(/metrics$/);
    const keyOf = (part: RegExp): (string | undefined)[] =>
      requests.filter((one) => part.test(one.url())).map((one) => one.headers()['authorization']);
    assert.ok(keyOf(/v1\/encode/).includes('Bearer ada-0123456789abcdef'));
    assert.deepEqual([...new Set(keyOf(/\/(metrics|openapi\.json)$/))], [undefined]);
  },
);

pageTest(
  'asks for no key again after Cancel until the user wants to enter one',
  { errors: /401/, url: lockedUrl },
  async (opened) => {
    const { page, requests } = opened;
    const dialog = page.getByRole('dialog', { name: 'API key' });
    const field = dialog.getByLabel('Key', { exact: true });
    await field.fill('ada-01234');
    await dialog.getByRole('button', { name: 'Cancel' }).click();
    await page.locator('.status').getByText('wants an API key', { exact: true }).waitFor();
    const asked = (): number => requests.filter((one) => one.url().endsWith('v1/models')).length;
    const before = asked();
    for (let poll = 0; poll < 3; poll++) await page.waitForResponse(/metrics$/);
    assert.equal(asked(), before);
    assert.equal(await dialog.count(), 0);
    assert.equal(await page.getByText(/models are loading/).count(), 0);
    await page.getByRole('button', { name: 'Enter a key' }).click();
    assert.equal(await field.inputValue(), '');
    await field.fill('ada-0123456789abcdef');
    await dialog.getByRole('button', { name: 'Use this key' }).click();
    await takeSample(opened, 'Coffee', 2);
    assert.equal(await page.getByRole('button', { name: 'Enter a key' }).count(), 0);
  },
);

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

interface Violation {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[];
}

async function seriousIssues(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  const { violations } = (await page.evaluate('axe.run()')) as { violations: Violation[] };
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) =>
      nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)}: ${failureSummary}`),
    );
}

for (const colorScheme of ['light', 'dark'] as const) {
  pageTest(
    `has no serious issue for axe, in ${colorScheme} colours`,
    { errors: /400/ },
    async (opened, t: TestContext) => {
      const { page, panel } = opened;
      await page.emulateMedia({ colorScheme });
      assert.deepEqual(await seriousIssues(page), []);
      await choose(panel(2), { recipe: 'anyres', options: { max_tiles: 'x' } });
      await page.getByRole('button', { name: 'Invoice' }).click();
      await panel(2).getByRole('alert').waitFor();
      await takeSample(opened, 'Coffee', 1);
      await page.getByLabel('Similarity').check();
      await page.getByLabel('Comparison').getByRole('combobox', { name: 'A', exact: true }).selectOption('1');
      await page.getByLabel('Comparison').getByRole('combobox', { name: 'B', exact: true }).selectOption('3');
      for (const summary of await page.locator('summary').all()) await summary.click();
      await page.getByRole('img', { name: 'Map of the differences' }).waitFor();
      const issues = await seriousIssues(page);
      t.diagnostic(`${issues.length} serious issues`);
      assert.deepEqual(issues, []);
    },
  );
}

/** The choices that a select box has no room to show. */
const cutChoices = `[...document.querySelectorAll('select')].flatMap((select) => {
  const context = document.createElement('canvas').getContext('2d');
  context.font = getComputedStyle(select).font;
  const text = select.selectedOptions[0].textContent;
  return context.measureText(text).width > select.clientWidth - 30 ? [text] : [];
})`;

for (const width of [360, 740, 800, 1280]) {
  pageTest(
    `shows what is chosen in full in a window of ${width} pixels`,
    { width },
    async ({ page, panel }) => {
      assert.equal(
        await panel(3).getByLabel('Model').locator('option:checked').innerText(),
        "the service's teacher",
      );
      assert.deepEqual(await page.evaluate(cutChoices), []);
      await panel(2).getByRole('button', { name: 'Remove panel 2' }).click();
      assert.deepEqual(await page.evaluate(cutChoices), []);
    },
  );
}

pageTest(
  'shows the details of the models in full in a window of 360 pixels',
  { width: 360 },
  async ({ page }) => {
    await page.locator('.status > summary').click();
    const table = page.getByRole('region', { name: 'Models' });
    await table.getByRole('row').nth(1).waitFor();
    assert.equal(await table.evaluate(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth), 0);
    assert.match(await table.getByRole('row', { name: /^student/ }).innerText(), /last_hidden_state\s+fp32/);
    for (const digest of await table.locator('code').all()) {
      const { x, width } = (await digest.boundingBox())!;
      assert.ok(x >= 0 && x + width <= 360, `${x} ${width}`);
    }
  },
);

pageTest(
  'shows what is compared in full in a window of 360 pixels',
  { width: 360, errors: /400/ },
  async ({ page, panel }) => {
    await choose(panel(3), { options: { scales: '500' } });
    await page.getByRole('button', { name: 'Coffee' }).click();
    const comparison = page.getByLabel('Comparison');
    await comparison.getByRole('combobox', { name: 'A', exact: true }).selectOption('1');
    await comparison.getByRole('combobox', { name: 'B', exact: true }).selectOption('3');
    await comparison.getByText(/Panel 3 failed/).waitFor();
    assert.deepEqual(await page.evaluate(cutChoices), []);
    assert.equal(await comparison.evaluate(({ scrollWidth, clientWidth }) => scrollWidth - clientWidth), 0);
  },
);

pageTest('fits a window of 360 pixels', { width: 360 }, async (opened) => {
  const { page, panel } = opened;
  await takeSample(opened, 'Invoice');
  for (const summary of await page.locator('summary').all()) await summary.click();
  const widest = await page.evaluate('document.documentElement.scrollWidth');
  assert.equal(widest, 360);
  const box = (await panel(1).getByRole('application').boundingBox())!;
  assert.ok(box.width > 250 && box.x >= 0 && box.x + box.width <= 360);
});
