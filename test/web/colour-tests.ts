import assert from 'node:assert/strict';
import type { Locator } from 'playwright-core';
import { tokenNorms } from '../../src/tokens/colours/token-set.ts';
import { paintHeat } from '../../src/tokens/colours/colour-scale.ts';
import { rangeOf } from '../../src/tokens/colours/quantile.ts';
import { TokenColours } from '../../src/tokens/colours/token-colours.ts';
import { until } from '../support/until.ts';
import { choose, pageTest, takeSample, type OpenedPage } from './site.ts';
import { cosine, largestDifference, shownColours, showsColours, tokensOf } from './reference.ts';

/** The tokens of the three panels that the page opens with. */
const openedWith = async (name: string) => [
  await tokensOf(name, 'encode', { model: 'student' }),
  await tokensOf(name, 'encode', { model: 'plain' }),
  await tokensOf(name, 'teacher-encode', {}),
];

/** Nothing but tokens. */
async function onlyTokens({ page }: OpenedPage): Promise<void> {
  await page.getByLabel('Blend').fill('1');
  await page.getByLabel('Plan').uncheck();
}

pageTest('colours tokens by principal components, with one basis for all panels', {}, async (opened) => {
  await takeSample(opened, 'Coffee');
  await onlyTokens(opened);
  const sets = await openedWith('coffee.jpg');
  const colours = TokenColours.fit(sets);
  for (const [index, set] of sets.entries()) {
    await showsColours(opened.panel(index + 1), 32, 32, colours.paint(set));
    const shown = await shownColours(opened.panel(index + 1), 32, 32);
    assert.ok(
      largestDifference(shown, TokenColours.fit([set]).paint(set)) > 20,
      'a basis of its own is another',
    );
  }
});

pageTest('colours tokens by their norms, on one scale for all panels', {}, async (opened) => {
  await takeSample(opened, 'Coffee');
  await onlyTokens(opened);
  await opened.page.getByLabel('Norms').check();
  const norms = (await openedWith('coffee.jpg')).map(tokenNorms);
  const range = rangeOf(norms);
  await opened.page.getByRole('img', { name: /^From .*, black, to / }).waitFor();
  for (const [index, values] of norms.entries()) {
    await showsColours(opened.panel(index + 1), 32, 32, paintHeat(values, range));
  }
});

pageTest('blends the tokens with the picture', {}, async (opened) => {
  await takeSample(opened, 'Coffee');
  await onlyTokens(opened);
  const tokens = TokenColours.fit(await openedWith('coffee.jpg')).paint((await openedWith('coffee.jpg'))[0]!);
  await showsColours(opened.panel(1), 32, 32, tokens);
  const picture = await pictureColours(opened);
  await opened.page.getByLabel('Blend').fill('0.5');
  await showsColours(
    opened.panel(1),
    32,
    32,
    picture.map((value, index) => (value + tokens[index]!) / 2),
  );
});

/** The picture alone, at the middles of the first panel's tokens. */
async function pictureColours({ page, panel }: OpenedPage): Promise<number[]> {
  const before = await page.getByLabel('Blend').inputValue();
  await page.getByLabel('Blend').fill('0');
  const shown = await settledColours(panel(1));
  await page.getByLabel('Blend').fill(before);
  return shown.flat();
}

/** What a panel shows once two looks at it agree. */
async function settledColours(panel: Locator): Promise<number[][]> {
  let last = await shownColours(panel, 32, 32);
  await until(async () => {
    const next = await shownColours(panel, 32, 32);
    const isSettled = largestDifference(next, last.flat()) === 0;
    last = next;
    return isSettled;
  });
  return last;
}

pageTest('shows the cosine to a picked patch in every panel at once', {}, async (opened) => {
  const { page, panel } = opened;
  await takeSample(opened, 'Coffee');
  const stage = panel(1).getByRole('application');
  const box = (await stage.boundingBox())!;
  await stage.click({ position: { x: (box.width * 4.5) / 32, y: (box.height * 9.5) / 32 } });
  assert.ok(await page.getByLabel('Similarity').isChecked());
  await page.getByText('1 picked, 0 to differ from').waitFor();
  await stage.hover({ position: { x: (box.width * 20.5) / 32, y: (box.height * 3.5) / 32 } });
  const sets = await openedWith('coffee.jpg');
  for (const [index, set] of sets.entries()) {
    const readout = panel(index + 1).locator('.readout');
    await readout.getByText(/similarity/).waitFor();
    const [, value] =
      /^column 21, row 4, similarity (-?[\d.]+)$/.exec((await readout.innerText()).trim()) ?? [];
    const expected = cosine(set, 9 * 32 + 4, 3 * 32 + 20);
    assert.ok(Math.abs(Number(value) - expected) < 1e-4, `panel ${index + 1}: ${value}, not ${expected}`);
  }
});

pageTest('moves over the patches and picks by keyboard, and says what it finds', {}, async (opened) => {
  const { page, panel } = opened;
  await takeSample(opened, 'Coffee');
  await page.getByLabel('Similarity').check();
  const stage = panel(1).getByRole('application');
  await stage.focus();
  const readout = panel(1).locator('.readout');
  assert.equal(await readout.getAttribute('aria-live'), 'polite');
  assert.equal(await panel(2).locator('.readout').getAttribute('aria-live'), 'off');
  // The first key goes to the middle.
  for (const key of ['ArrowRight', 'ArrowLeft', 'ArrowLeft', 'ArrowUp']) await stage.press(key);
  await readout.getByText('column 15, row 16, similarity 1.0000').waitFor();
  await stage.press('Enter');
  await page.getByText('1 picked, 0 to differ from').waitFor();
  await stage.press('ArrowDown');
  await stage.press('Shift+Enter');
  await page.getByText('1 picked, 1 to differ from').waitFor();
  await stage.press('Escape');
  await page.getByText('0 picked, 0 to differ from').waitFor();
});

pageTest(
  'scores by positive less negative picks, and clears what is below the threshold',
  {},
  async (opened) => {
    const { page, panel } = opened;
    await takeSample(opened, 'Coffee');
    await onlyTokens(opened);
    const stage = panel(1).getByRole('application');
    const box = (await stage.boundingBox())!;
    const at = (column: number, row: number) => ({
      position: { x: (box.width * (column + 0.5)) / 32, y: (box.height * (row + 0.5)) / 32 },
    });
    await stage.click(at(4, 9));
    await stage.click({ ...at(28, 30), modifiers: ['Shift'] });
    await page.getByText('1 picked, 1 to differ from').waitFor();
    const [set] = await openedWith('coffee.jpg');
    const scores = Array.from(
      { length: 1024 },
      (_, token) => cosine(set!, 9 * 32 + 4, token) - cosine(set!, 30 * 32 + 28, token),
    );
    await stage.hover(at(20, 3));
    await panel(1)
      .getByText(/similarity/)
      .waitFor();
    const [, value] = /similarity (-?[\d.]+)/.exec(await panel(1).locator('.readout').innerText()) ?? [];
    assert.ok(Math.abs(Number(value) - scores[3 * 32 + 20]!) < 1e-4, value);

    const threshold = 0.1;
    const before = await settledColours(panel(1));
    const picture = await pictureColours(opened);
    await page.getByLabel('Threshold').fill(String(threshold));
    const expected = scores.flatMap((score, token) =>
      score < threshold ? picture.slice(token * 3, token * 3 + 3) : before[token]!,
    );
    await showsColours(panel(1), 32, 32, expected);
    assert.ok(scores.some((score) => score < threshold) && scores.some((score) => score > threshold));
  },
);

pageTest(
  'leaves the class token out of the map, and a pooled vector out of the colours',
  {},
  async (opened) => {
    const { page, panel } = opened;
    await choose(panel(1), { model: 'clip', options: { class_token: 'true' } });
    await choose(panel(2), { model: 'clip', options: { output: 'pooled' } });
    await takeSample(opened, 'Coffee');
    await page.getByLabel('Norms').check();
    await panel(1).getByText('577 of 32 channels; grid 24 x 24, after the class token').waitFor();
    await panel(2)
      .getByText(/^one vector of \d+ values/)
      .waitFor();
    const stage = panel(1).getByRole('application');
    const box = (await stage.boundingBox())!;
    // CLIP sees the middle 400 of 600 pixels.
    await stage.hover({
      position: { x: (box.width * (100 + (400 * 5.5) / 24)) / 600, y: (box.height * 7.5) / 24 },
    });
    const set = await tokensOf('coffee.jpg', 'encode', { model: 'clip', class_token: 'true' });
    const norm = tokenNorms(set)[1 + 7 * 24 + 5]!;
    await panel(1)
      .locator('.readout')
      .getByText(`column 6, row 8, norm ${norm.toFixed(4)}`)
      .waitFor();
  },
);

pageTest(
  'leaves a panel without tokens at the picked point out of the scores and their scale',
  {},
  async (opened) => {
    const { page, panel } = opened;
    await choose(panel(1), { model: 'clip' });
    await takeSample(opened, 'Coffee');
    await onlyTokens(opened);
    // CLIP sees the middle 400 of 600 pixels.
    const stage = panel(2).getByRole('application');
    const box = (await stage.boundingBox())!;
    const at = (column: number, row: number) => ({
      position: { x: (box.width * (column + 0.5)) / 32, y: (box.height * (row + 0.5)) / 32 },
    });
    await stage.click(at(1, 9));
    await page.getByText('1 picked, 0 to differ from').waitFor();
    await stage.hover(at(16, 16));
    await panel(3)
      .getByText(/similarity/)
      .waitFor();
    assert.match(await panel(1).locator('.readout').innerText(), /^column \d+, row \d+$/);
    const [, ...sets] = await openedWith('coffee.jpg');
    const scores = sets.map((set) =>
      Float64Array.from({ length: 1024 }, (_, token) => cosine(set, 9 * 32 + 1, token)),
    );
    const { low, high } = rangeOf(scores);
    const digits = (value: number): string => Number(value.toPrecision(3)).toString();
    await page
      .getByRole('img', { name: `From ${digits(low)}, black, to ${digits(high)}, pale yellow` })
      .waitFor();
  },
);

pageTest('picks patches to differ from without Shift, as a touch screen needs', {}, async (opened) => {
  const { page, panel } = opened;
  await takeSample(opened, 'Coffee');
  await page.getByLabel('Similarity').check();
  await panel(1).getByRole('application').click();
  await page.getByLabel('Pick to differ from').check();
  await panel(1)
    .getByRole('application')
    .click({ position: { x: 9, y: 9 } });
  await page.getByText('1 picked, 1 to differ from').waitFor();
});

pageTest('forgets the threshold with its picture', {}, async (opened) => {
  const { page } = opened;
  await takeSample(opened, 'Coffee');
  await page.getByLabel('Similarity').check();
  await page.getByLabel('Threshold').fill('0.1');
  await page.locator('output', { hasText: '0.10' }).waitFor();
  await takeSample(opened, 'Rocket');
  await page.locator('output', { hasText: 'none' }).waitFor();
});
