// Generates the documents that are derived from the code. Needs a build; `npm run docs` builds first.
// With --check it writes nothing and fails if a document is out of date.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { importCommand } from '../build/src/cli/settings/import.js';
import { configurationReference } from '../build/src/cli/settings/reference.js';
import { serveCommand } from '../build/src/cli/settings/serve.js';
import { Metrics } from '../build/src/telemetry/metrics.js';
import { chartReadme } from './chart-readme.js';
import { chartSchema } from './chart-schema.js';
import { metricsReference } from './metrics-reference.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const chart = 'deploy/helm/siglip-hd';
const read = (name) => readFileSync(join(root, name), 'utf8');
const valuesSchema = chartSchema(serveCommand.settings, importCommand.settings);
const documents = {
  'docs/configuration.md': configurationReference(),
  'docs/metrics.md': metricsReference(read('docs/metrics.head.md'), new Metrics().describe()),
  [`${chart}/values.schema.json`]: `${JSON.stringify(valuesSchema, undefined, 2)}\n`,
  [`${chart}/README.md`]: chartReadme(read(`${chart}/README.head.md`), read(`${chart}/values.yaml`)),
};

let stale = false;
for (const [name, text] of Object.entries(documents)) {
  if (!process.argv.includes('--check')) {
    writeFileSync(join(root, name), text);
  } else if (read(name) !== text) {
    console.error(`${name} is out of date; npm run docs writes it.`);
    stale = true;
  }
}
if (stale) process.exit(1);
