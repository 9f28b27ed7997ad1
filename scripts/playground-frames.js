// Hovers over the tokens of a page in the playground of a running service, and prints how long frames take:
//   node scripts/playground-frames.js URL
// Serve a model of 512 px and 1,152 channels for 4,999 tokens, the most that AnyRes gives of the invoice. Needs chromium.
import { chromium } from 'playwright-core';

const [url] = process.argv.slice(2);
if (url === undefined) {
  console.error('usage: node scripts/playground-frames.js URL');
  process.exit(2);
}
const frames = 300;
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** The value below which a share of the values lie, in tenths of a millisecond. */
const quantile = (values, share) =>
  values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) * share)].toFixed(1);

for (const { clock, args } of [
  { clock: '60 Hz', args: [] },
  { clock: 'none', args: ['--disable-frame-rate-limit', '--disable-gpu-vsync'] },
]) {
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', ...args] });
  const page = await browser.newPage({ viewport: { width: 1280, height: 1200 } });
  const tokens = await openPage(page);
  // Once to warm up.
  await page.evaluate(hover, frames);
  const { intervals, heats } = await page.evaluate(hover, frames);
  const { busy } = await traced(browser, () => page.evaluate(hover, frames));
  await browser.close();
  console.log(`${tokens}; frame clock: ${clock}`);
  console.log(
    `  frame: median ${quantile(intervals, 0.5)} ms, 95th percentile ${quantile(intervals, 0.95)} ms`,
  );
  console.log(
    `  heat follows every ${quantile(heats, 0.5)} ms (median), ${heats.length} heats in ${frames} frames`,
  );
  console.log(
    `  main thread busy: median ${quantile(busy, 0.5)} ms a frame, 95th percentile ${quantile(busy, 0.95)} ms`,
  );
}

/** Shows the invoice in one panel by AnyRes, coloured by similarity. Returns what the panel says of its tokens. */
async function openPage(page) {
  await page.goto(url);
  const panel = page.getByRole('article').first();
  await panel.getByLabel('Recipe').selectOption('anyres');
  while ((await page.getByRole('article').count()) > 1)
    await page.getByRole('button', { name: 'Remove panel 2' }).click();
  await page.getByRole('button', { name: 'Invoice' }).click();
  await panel.getByText(/^Cost:/).waitFor({ timeout: 120_000 });
  await page.getByLabel('Similarity').check();
  return await panel.locator('.facts dd').first().innerText();
}

/** In the page: moves the pointer once a frame. Returns the times between frames and between heats. */
async function hover(count) {
  const stage = document.querySelector('.stage');
  const box = stage.getBoundingClientRect();
  const intervals = [];
  const painted = [];
  const putImageData = Reflect.get(CanvasRenderingContext2D.prototype, 'putImageData');
  CanvasRenderingContext2D.prototype.putImageData = function (...given) {
    painted.push(performance.now());
    return Reflect.apply(putImageData, this, given);
  };
  let last = await new Promise(requestAnimationFrame);
  for (let frame = 0; frame < count; frame++) {
    const across = 0.1 + 0.8 * Math.abs(Math.sin(frame / 17));
    const down = 0.1 + 0.8 * ((frame % 100) / 100);
    const at = { clientX: box.left + box.width * across, clientY: box.top + box.height * down };
    stage.dispatchEvent(new PointerEvent('pointermove', { bubbles: true, ...at }));
    const now = await new Promise(requestAnimationFrame);
    intervals.push(now - last);
    last = now;
  }
  CanvasRenderingContext2D.prototype.putImageData = putImageData;
  return { intervals, heats: painted.slice(1).map((at, index) => at - painted[index]) };
}

/** How long the page's main thread was busy in each frame, in milliseconds. */
async function traced(browser, act) {
  const session = await browser.newBrowserCDPSession();
  const events = [];
  session.on('Tracing.dataCollected', ({ value }) => events.push(...value.filter(({ ph }) => ph === 'X')));
  const traceConfig = { includedCategories: ['toplevel', 'cc'] };
  await session.send('Tracing.start', { transferMode: 'ReportEvents', traceConfig });
  await act();
  const complete = new Promise((resolve) => session.once('Tracing.tracingComplete', resolve));
  await session.send('Tracing.end');
  await complete;
  const threadOf = ({ pid, tid }) => `${pid} ${tid}`;
  const begins = events.filter(({ name }) => name === 'ProxyMain::BeginMainFrame');
  const threads = [...new Set(begins.map(threadOf))];
  const framesOf = (thread) => begins.filter((event) => threadOf(event) === thread);
  const main = threads.toSorted((a, b) => framesOf(b).length - framesOf(a).length)[0];
  const starts = framesOf(main)
    .map(({ ts }) => ts)
    .toSorted((a, b) => a - b);
  const busy = starts.map(() => 0);
  for (const event of events) {
    if (event.name !== 'ThreadControllerImpl::RunTask' || threadOf(event) !== main) continue;
    const frame = starts.findLastIndex((start) => start <= event.ts + event.dur);
    if (frame >= 0) busy[frame] += event.dur / 1000;
  }
  return { busy };
}
