import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, type TestContext } from 'node:test';
import { pino } from 'pino';
import { chromium, type Browser, type Locator, type Page, type Request } from 'playwright-core';
import { type Service, startService } from '../../src/service.ts';
import { serviceConfig } from '../support/service-config.ts';
import { externalTest } from '../support/external.ts';
import { importFixture, scratchFolder } from '../support/tiny-models.ts';
import { FrontProxy } from './front-proxy.ts';

const candidates = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const executablePath = process.env['CHROMIUM'] ?? candidates.find((path) => existsSync(path));

/** A browser, and a service of three models behind a proxy that serves it below a prefix. */
interface Site {
  readonly browser: Browser;
  readonly service: Service;
  readonly proxy: FrontProxy;
}

let opening: Promise<Site> | undefined;
const scratch = scratchFolder();
after(async () => {
  const opened = await opening;
  await opened?.browser.close();
  await opened?.proxy.close();
  await opened?.service.close();
  scratch.remove();
});

/** The site, which all tests of the process share. */
export function site(): Promise<Site> {
  opening ??= openSite();
  return opening;
}

async function openSite(): Promise<Site> {
  const models = [
    { name: 'student', folder: await importFixture(scratch.path, 'siglip-tiny') },
    {
      name: 'plain',
      folder: await importFixture(scratch.path, 'siglip-tiny', { features: ['penultimate'] }),
    },
    {
      name: 'clip',
      folder: await importFixture(scratch.path, 'clip-tiny', { classToken: true, pooled: true }),
    },
  ];
  const config = serviceConfig({ models, teacher: 'plain', cacheBytes: 64 * 2 ** 20 });
  const service = await startService(config, pino({ level: 'silent' }), () => {});
  const proxy = await FrontProxy.start('/some/prefix', service.httpPort);
  const browser = await chromium.launch({ executablePath: executablePath!, args: ['--no-sandbox'] });
  return { browser, service, proxy };
}

/** What a test may expect of the page beside what it asks for. */
interface Expected {
  /** Console errors that the test provokes: the browser reports each answer of 400 and more. */
  readonly errors?: RegExp;
  /** Of the window, in pixels. */
  readonly width?: number;
  /** Another service than the site's. */
  readonly url?: (t: TestContext) => Promise<string>;
}

export interface OpenedPage {
  readonly page: Page;
  /** Every request of the page so far. */
  readonly requests: readonly Request[];
  readonly panel: (number: number) => Locator;
}

/** A test of the page in a browser of its own, which fails on console errors and on requests to elsewhere. */
export function pageTest(
  title: string,
  expected: Expected,
  body: (opened: OpenedPage, t: TestContext) => Promise<void>,
): void {
  const missing = async (): Promise<string | undefined> =>
    executablePath === undefined ? 'there is no chromium (apt-get install chromium)' : undefined;
  externalTest(title, missing, async (t) => {
    const { browser, proxy } = await site();
    const context = await browser.newContext({ viewport: { width: expected.width ?? 1280, height: 900 } });
    const page = await context.newPage();
    const errors: string[] = [];
    const requests: Request[] = [];
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(message.text());
    });
    page.on('pageerror', ({ message }) => errors.push(message));
    page.on('request', (request) => requests.push(request));
    // Far beyond what a busy machine takes: it only ends a test that hangs.
    page.setDefaultTimeout(60_000);
    const url = (await expected.url?.(t)) ?? proxy.url;
    try {
      await page.goto(url);
      const panel = (number: number) => page.getByRole('article').nth(number - 1);
      await page.locator('article, dialog[open]').first().waitFor();
      await body({ page, requests, panel }, t);
      const unexpected = errors.filter((error) => expected.errors?.test(error) !== true);
      assert.deepEqual(unexpected, []);
      const elsewhere = requests.map((request) => request.url()).filter((one) => !one.startsWith(url));
      assert.deepEqual(elsewhere, []);
    } finally {
      await context.close();
    }
  });
}

/** Takes a sample, and waits until the first `count` panels have its tokens. */
export async function takeSample({ page, panel }: OpenedPage, name: string, count = 3): Promise<void> {
  await page.getByRole('button', { name }).click();
  for (let number = 1; number <= count; number++) await hasTokens(panel(number));
}

/** Waits until a panel has tokens. */
export async function hasTokens(panel: Locator): Promise<void> {
  await panel.getByText(/^Cost:/).waitFor();
}

/** Adds nothing but changes a panel's model, recipe and options. */
export async function choose(
  panel: Locator,
  choice: {
    readonly model?: string;
    readonly recipe?: string;
    readonly options?: Readonly<Record<string, string>>;
  },
): Promise<void> {
  if (choice.recipe !== undefined) await panel.getByLabel('Recipe').selectOption(choice.recipe);
  if (choice.model !== undefined) await panel.getByLabel('Model').selectOption(choice.model);
  const options = Object.entries(choice.options ?? {});
  if (options.length > 0) await panel.getByText('Options').click();
  for (const [name, value] of options) {
    const field = panel
      .locator('.options label', { hasText: new RegExp(`^${name}`) })
      .locator('input, select');
    if ((await field.evaluate((element) => element.tagName)) === 'SELECT') await field.selectOption(value);
    else {
      await field.fill(value);
      await field.press('Enter');
    }
  }
}
