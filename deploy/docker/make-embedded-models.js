// Makes the embedded models in a folder, so that an image needs nothing to write to at run time.
import { resolve } from 'node:path';
import { argv } from 'node:process';
import { ensureEmbeddedModel } from '../../build/src/model/import/embedded-models.js';
import { embeddedNames } from '../../build/src/model/model.js';

for (const name of embeddedNames) {
  const { folder } = await ensureEmbeddedModel(name, resolve(argv[2] ?? 'cache'));
  console.log(folder);
}
