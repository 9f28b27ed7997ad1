import assert from 'node:assert/strict';
import type { Locator } from 'playwright-core';
import { planRecipe } from '../../src/recipes/planner.ts';
import type { Plan, Size } from '../../src/recipes/plan.ts';
import type { PlanModel } from '../../src/recipes/plan-model.ts';
import type { RecipeOptions } from '../../src/recipes/recipe-options.ts';
import { choose, hasTokens, pageTest, takeSample } from './site.ts';
import { showsColours, tokensOf } from './reference.ts';
import { TokenColours } from '../../src/tokens/colours/token-colours.ts';

const tiny: PlanModel = {
  name: 'student',
  digest: '',
  towerDigest: '',
  precision: 'fp32',
  imageSize: 512,
  patchSize: 16,
  grid: { width: 32, height: 32 },
  channels: 32,
  resample: 'bilinear',
  resize: 'squash',
};
const clip: PlanModel = {
  ...tiny,
  name: 'clip',
  imageSize: 336,
  patchSize: 14,
  grid: { width: 24, height: 24 },
  resize: 'crop',
};
const invoice = { width: 1000, height: 1414 };

interface Drawn {
  readonly group: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** The rectangles of a kind that a panel draws, in pixels of the image. */
async function drawn(panel: Locator, kind: 'view' | 'unpadded'): Promise<Drawn[]> {
  const rects = panel.locator(`.stage rect.${kind}`);
  await rects.first().waitFor({ state: 'attached' });
  const found: Drawn[] = [];
  for (const rect of await rects.all()) {
    const side = async (name: string): Promise<number> => Number(await rect.getAttribute(name));
    found.push({
      group: (await rect.getAttribute('data-group')) ?? '',
      x: await side('x'),
      y: await side('y'),
      width: await side('width'),
      height: await side('height'),
    });
  }
  return found;
}

/** The views of a plan, in pixels of the image: its canvases, turned back. */
function viewsOf({ canvases, viewSize }: Plan, image: Size): Omit<Drawn, 'group'>[] {
  return canvases.flatMap(({ content, paste, views, encoder }) => {
    const across = image.width / content.width;
    const down = image.height / content.height;
    const side = encoder?.viewSize ?? viewSize;
    return views.map(({ left, top }) => ({
      x: (left - paste.left) * across,
      y: (top - paste.top) * down,
      width: side * across,
      height: side * down,
    }));
  });
}

function assertNear(found: readonly Omit<Drawn, 'group'>[], expected: readonly Omit<Drawn, 'group'>[]): void {
  assert.equal(found.length, expected.length);
  for (const [index, rect] of expected.entries()) {
    for (const side of ['x', 'y', 'width', 'height'] as const) {
      assert.ok(
        Math.abs(found[index]![side] - rect[side]) < 0.01,
        `view ${index}: ${side} ${found[index]![side]}, not ${rect[side]}`,
      );
    }
  }
}

const average = { fusion: 'average', windows: 'tiles' } as const;

for (const [what, choice, model, options] of [
  ['the one view of Encode', { recipe: 'encode' }, tiny, { recipe: 'encode' }],
  ['the middle that CLIP sees', { recipe: 'encode', model: 'clip' }, clip, { recipe: 'encode' }],
  [
    'the windows of three scales of the teacher',
    { recipe: 'teacher', options: { scales: '512,1024,1536' } },
    tiny,
    { recipe: 'teacher', ...average, scales: [512, 1024, 1536] },
  ],
  [
    'overlapping windows of the teacher',
    { recipe: 'teacher', options: { windows: 'half_overlap' } },
    tiny,
    { recipe: 'teacher', ...average, windows: 'half_overlap' },
  ],
  ['the tiles of AnyRes', { recipe: 'anyres' }, tiny, { recipe: 'anyres' }],
  [
    'the tiles of AnyRes in a grid of two rows',
    { recipe: 'anyres', options: { max_grid: '3x2' } },
    tiny,
    { recipe: 'anyres', maxGrid: { columns: 3, rows: 2 } },
  ],
] as const satisfies readonly (readonly [string, object, PlanModel, RecipeOptions])[]) {
  pageTest(`draws ${what} where the plan cuts them`, {}, async (opened) => {
    const { page, panel } = opened;
    await choose(panel(1), choice);
    await page.getByRole('button', { name: 'Invoice' }).click();
    await hasTokens(panel(1));
    const plan = planRecipe(invoice, model, options);
    assertNear(await drawn(panel(1), 'view'), viewsOf(plan, invoice));
  });
}

pageTest('draws the plan before anything is encoded', {}, async ({ page, panel }) => {
  let release = (): void => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  await page.route(/v1\/(teacher-)?encode/, async (route) => {
    await held;
    await route.continue();
  });
  await page.getByRole('button', { name: 'Invoice' }).click();
  assert.equal((await drawn(panel(3), 'view')).length, 5);
  assert.equal(
    await panel(3)
      .getByText(/^Cost:/)
      .count(),
    0,
  );
  release();
  await hasTokens(panel(3));
});

pageTest(
  'shows a page by AnyRes: tokens as planned, the unpadded part, base view and tiles',
  {},
  async (opened) => {
    const { page, panel } = opened;
    await choose(panel(1), { recipe: 'anyres' });
    await takeSample(opened, 'Invoice');
    const plan = planRecipe(invoice, tiny, { recipe: 'anyres' });
    const { spatial, tileGrid, unpad, baseTokens } = plan.anyres!;
    const facts = await panel(1).locator('.facts').innerText();
    assert.match(facts, new RegExp(`${plan.shape[0]!.toLocaleString('en')} of 32 channels`));
    assert.match(facts, new RegExp(`tiles ${spatial.width} x ${spatial.height}`));
    assert.match(facts, new RegExp(`1 base view, \\d tiles \\(${tileGrid.columns} x ${tileGrid.rows}\\)`));
    const [kept] = await drawn(panel(1), 'unpadded');
    const tile = (await drawn(panel(1), 'view'))[1]!;
    assert.ok(Math.abs(kept!.width - (unpad.width * tile.width) / 32) < 0.01);
    assert.ok(Math.abs(kept!.height - (unpad.height * tile.height) / 32) < 0.01);
    assert.ok(tileGrid.columns * tileGrid.rows > 1);

    await page.getByLabel('Plan').uncheck();
    await page.getByLabel('Blend').fill('1');
    const tokens = await tokensOf('invoice.png', 'anyres-encode', { model: 'student' });
    const others = [
      await tokensOf('invoice.png', 'encode', { model: 'plain' }),
      await tokensOf('invoice.png', 'teacher-encode', {}),
    ];
    const painted = TokenColours.fit([tokens, ...others]).paint(tokens);
    await panel(1).getByLabel('base view').check();
    await showsColours(panel(1), 32, 32, painted.subarray(0, baseTokens * 3));
    await panel(1).getByLabel('tiles', { exact: true }).check();
    // The invoice fills its height, so the kept map covers it.
    await showsColours(panel(1), spatial.width, spatial.height, painted.subarray(baseTokens * 3));
  },
);
