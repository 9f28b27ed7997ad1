// Draws the pictures of the documentation into docs/pictures, from a service of the embedded models and the playground's samples.
// Run it by hand after a build, when the models or the samples change: node scripts/docs-pictures/main.js [FLAG OF SERVE]...
// The first served model is the student, the second its base. Where there is one model, it is both.
import { mkdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { drawAnyres } from './anyres.js';
import { drawBatching } from './batching.js';
import { drawDashboard } from './dashboard.js';
import { drawRequest } from './request.js';
import { modelsOf, startService } from './service.js';
import { drawTokens } from './tokens.js';

const sample = (name) => readFileSync(new URL(`../../web/samples/${name}`, import.meta.url));

mkdirSync(fileURLToPath(new URL('../../docs/pictures/', import.meta.url)), { recursive: true });
const flags = process.argv.slice(2);
await withService(flags, async (settings) => {
  await drawTokens(settings);
  await drawAnyres(settings);
  await drawRequest(settings);
});
// A CPU gains little from batches, so the service would choose small ones.
await withService([...flags, '--max-batch', '4'], async (settings) => {
  await drawBatching(settings);
  await drawDashboard(settings);
});

/** Draws with a service that runs meanwhile. */
async function withService(args, draw) {
  const service = await startService(args);
  try {
    await draw(await settingsOf(service.url));
  } finally {
    await service.stop();
  }
}

async function settingsOf(url) {
  const [first, second = first] = await modelsOf(url);
  return {
    url,
    student: first.name,
    base: second.name,
    imageSize: first.image_size,
    page: sample('invoice.png'),
    pageSize: { width: 1000, height: 1414 },
    photo: sample('coffee.jpg'),
  };
}
