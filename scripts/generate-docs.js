// Writes the documents that are made from the code. Run it on a build: `npm run docs` does both.
// With --check it writes nothing and fails when one is not up to date.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { configurationReference } from '../build/src/config/reference.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const documents = { 'docs/configuration.md': configurationReference() };

let stale = false;
for (const [name, text] of Object.entries(documents)) {
  const path = join(root, name);
  if (!process.argv.includes('--check')) {
    writeFileSync(path, text);
  } else if (readFileSync(path, 'utf8') !== text) {
    console.error(`${name} is not what the code says; npm run docs writes it.`);
    stale = true;
  }
}
if (stale) process.exit(1);
