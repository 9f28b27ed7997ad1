// Generates the documents that are derived from the code, and the types that are derived from the .proto files. Needs a build;
// `npm run docs` builds first. With --check it writes nothing and fails if a file is out of date.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { importCommand } from '../build/src/cli/settings/import.js';
import { configurationReference } from '../build/src/cli/settings/reference.js';
import { serveCommand } from '../build/src/cli/settings/serve.js';
import { Metrics } from '../build/src/telemetry/metrics.js';
import { chartReadme } from './chart-readme.js';
import { chartSchema } from './chart-schema.js';
import { grpcTypes } from './grpc-types.js';
import { metricsReference } from './metrics-reference.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const chart = 'deploy/helm/siglip-hd';
/** The file of each .proto file's types. */
const typesFiles = {
  'siglip_hd/v1/encoder.proto': 'src/transport/grpc/generated/encoder.ts',
  'inference/open_inference.proto': 'src/open-inference/generated/open-inference.ts',
};
const read = (name) => readFileSync(join(root, name), 'utf8');
const valuesSchema = chartSchema(serveCommand.settings, importCommand.settings);
const types = Object.entries(typesFiles).map(([proto, file]) => [file, grpcTypes(root, proto, file)]);
const documents = {
  'docs/configuration.md': configurationReference(),
  'docs/metrics.md': metricsReference(read('docs/metrics.head.md'), new Metrics().describe()),
  [`${chart}/values.schema.json`]: `${JSON.stringify(valuesSchema, undefined, 2)}\n`,
  [`${chart}/README.md`]: chartReadme(read(`${chart}/README.head.md`), read(`${chart}/values.yaml`)),
  ...Object.fromEntries(types),
};
let stale = false;
const report = (name, what) => {
  console.error(`${name} ${what}; npm run docs writes it.`);
  stale = true;
};
const readIfThere = (name) => (existsSync(join(root, name)) ? read(name) : undefined);
if (process.argv.includes('--check')) {
  for (const [name, text] of Object.entries(documents))
    if (readIfThere(name) !== text) report(name, 'is out of date');
} else {
  for (const [name, text] of Object.entries(documents)) writeFileSync(join(root, name), text);
}
if (stale) process.exit(1);
