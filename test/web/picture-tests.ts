import assert from 'node:assert/strict';
import type { Page, Request } from 'playwright-core';
import sharp from 'sharp';
import { choose, hasTokens, pageTest, site, takeSample } from './site.ts';
import { sampleBytes } from './reference.ts';

pageTest('opens with the served models side by side, and names the default', {}, async ({ page, panel }) => {
  assert.equal(await page.getByRole('article').count(), 3);
  assert.equal(await panel(1).getByLabel('Model').inputValue(), 'student');
  assert.equal(await panel(2).getByLabel('Model').inputValue(), 'plain');
  assert.equal(await panel(3).getByLabel('Recipe').inputValue(), 'teacher');
  assert.match(await page.locator('.status summary').innerText(), /ready\s+student/);
});

pageTest('shows the tokens of a sample in every panel', {}, async (opened) => {
  await takeSample(opened, 'Rocket');
  const { page, panel } = opened;
  assert.match(await page.getByLabel('Picture').innerText(), /rocket\.jpg, 640 x 427 px/);
  assert.match(await panel(1).innerText(), /1,024 of 32 channels; grid 32 x 32/);
  assert.match(await panel(3).innerText(), /5: 1 at 512 px, 4 at 1024 px/);
});

pageTest('takes a file that is chosen', {}, async ({ page, panel }) => {
  const file = { name: 'my cup.jpg', mimeType: 'image/jpeg', buffer: sampleBytes('coffee.jpg') };
  await page.getByLabel('Choose an image').setInputFiles(file);
  await hasTokens(panel(1));
  assert.match(await page.getByLabel('Picture').innerText(), /my cup\.jpg, 600 x 400 px/);
});

for (const [how, event, place] of [
  ['dropped on it', 'DragEvent', 'dataTransfer'],
  ['pasted into it', 'ClipboardEvent', 'clipboardData'],
] as const) {
  pageTest(`takes a file that is ${how}`, {}, async ({ page, panel }) => {
    const type = event === 'DragEvent' ? 'drop' : 'paste';
    await transfer(page, { event, type, place, name: 'moved.jpg', file: sampleBytes('rocket.jpg') });
    await hasTokens(panel(1));
    assert.match(await page.getByLabel('Picture').innerText(), /moved\.jpg, 640 x 427 px/);
  });
}

pageTest(
  'shows what the service says of a text file, and goes on with the next picture',
  { errors: /400/ },
  async (opened) => {
    const { page } = opened;
    const text = Buffer.from('photo.jpg');
    await page
      .getByLabel('Choose an image')
      .setInputFiles({ name: 'notes.txt', mimeType: 'text/plain', buffer: text });
    const { service } = await site();
    const answer = await fetch(`http://127.0.0.1:${service.httpPort}/v1/encode`, {
      method: 'POST',
      body: text,
    });
    const { title, detail } = (await answer.json()) as { title: string; detail: string };
    // Once for all panels, which have the same one.
    const alert = page.locator('section[aria-label="Panels"] > [role="alert"]');
    await alert.waitFor();
    assert.equal(await page.getByRole('alert').count(), 1);
    const shown = await alert.innerText();
    for (const part of [title, detail, 'invalid_argument'])
      assert.ok(shown.includes(part), `${part} in ${shown}`);
    const retry = alert.getByRole('button', { name: 'Try again' });
    assert.equal(await retry.count(), 0, 'the same file would be refused again');
    await takeSample(opened, 'Coffee');
    assert.equal(await page.getByRole('alert').count(), 0);
  },
);

pageTest(
  'tries failed panels again without a new start of one that is still encoding',
  { errors: /500/ },
  async (opened) => {
    const { page } = opened;
    await page.route(/v1\/encode/, (route) => route.fulfill({ status: 500, body: 'broken' }));
    let release = () => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    await page.route(/v1\/teacher-encode/, async (route) => {
      await held;
      await route.continue();
    });
    await page.getByRole('button', { name: 'Coffee' }).click();
    const alert = page.locator('section[aria-label="Panels"] > [role="alert"]');
    await alert.getByRole('button', { name: 'Try again' }).click();
    await alert.waitFor();
    const sent = (path: string) => opened.requests.filter((request) => request.url().includes(path));
    assert.equal(sent('v1/encode').length, 4, 'each of the two failed panels asked twice');
    assert.equal(sent('v1/teacher-encode').length, 1);
    release();
    await page.waitForResponse(/v1\/teacher-encode/);
  },
);

pageTest(
  'shows the refusal of an option that does not fit, and the tokens once it does',
  { errors: /400/ },
  async (opened) => {
    const { panel } = opened;
    await takeSample(opened, 'Coffee');
    await choose(panel(3), { options: { scales: '500' } });
    const alert = panel(3).getByRole('alert');
    await alert.waitFor();
    assert.match(await alert.innerText(), /500/);
    await panel(3).getByLabel('scales', { exact: true }).fill('512,1536');
    await panel(3).getByLabel('scales', { exact: true }).press('Enter');
    await panel(3).getByText('10: 1 at 512 px, 9 at 1536 px').waitFor();
    await hasTokens(panel(3));
  },
);

pageTest('keeps an option that is half typed while it watches the service', {}, async ({ page, panel }) => {
  await panel(3).getByText('Options').click();
  const field = panel(3).getByLabel('scales', { exact: true });
  await field.pressSequentially('512,1');
  for (let poll = 0; poll < 3; poll++) await page.waitForResponse(/metrics$/);
  await field.pressSequentially('024');
  assert.equal(await field.inputValue(), '512,1024');
});

for (const [what, end] of [
  ['comes later', 'continue'],
  ['fails later', 'abort'],
] as const) {
  pageTest(`keeps the last choice when an older sample ${what}`, { errors: /ERR_/ }, async (opened) => {
    const { page } = opened;
    let release = (): void => {};
    const held = new Promise<void>((resolve) => (release = resolve));
    const isCoffee = (request: Request): boolean => request.url().includes('coffee');
    const ended =
      end === 'abort'
        ? page.waitForEvent('requestfailed', isCoffee)
        : page.waitForEvent('requestfinished', isCoffee);
    await page.route(/coffee/, async (route) => {
      await held;
      await (end === 'abort' ? route.abort() : route.continue());
    });
    await page.getByRole('button', { name: 'Coffee' }).click();
    await takeSample(opened, 'Rocket');
    release();
    await ended;
    // Decoding another picture takes as long as the page takes to show the late one.
    await page.unroute(/coffee/);
    await page.evaluate(`(async () => {
      const url = document.querySelector('img[src*=coffee]').src;
      for (let round = 0; round < 5; round++) await createImageBitmap(await (await fetch(url)).blob());
    })()`);
    assert.match(await page.getByLabel('Picture').innerText(), /rocket\.jpg/);
    assert.equal(await page.getByRole('alert').count(), 0);
  });
}

pageTest('shows the tokens of a large picture that the browser cannot make smaller', {}, async (opened) => {
  const { page, panel } = opened;
  await page.evaluate(`{
    const make = createImageBitmap;
    window.createImageBitmap = async (source, options) => {
      if (options !== undefined) throw new DOMException('no memory');
      return await make(source);
    };
  }`);
  const buffer = await sharp({ create: { width: 3000, height: 1000, channels: 3, background: '#246' } })
    .png()
    .toBuffer();
  await page.getByLabel('Choose an image').setInputFiles({ name: 'wide.png', mimeType: 'image/png', buffer });
  await hasTokens(panel(1));
  assert.match(await page.getByLabel('Picture').innerText(), /wide\.png, 3000 x 1000 px/);
});

/** Drops or pastes a file as the browser does it: by an event that carries the file. */
async function transfer(
  page: Page,
  what: {
    readonly event: string;
    readonly type: string;
    readonly place: string;
    readonly name: string;
    readonly file: Buffer;
  },
): Promise<void> {
  const { event, type, place, name, file } = what;
  await page.evaluate(`(() => {
    const bytes = Uint8Array.from(atob(${JSON.stringify(file.toString('base64'))}), (one) => one.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], ${JSON.stringify(name)}, { type: 'image/jpeg' }));
    document.body.dispatchEvent(new ${event}('${type}', { bubbles: true, cancelable: true, ${place}: data }));
  })()`);
}
