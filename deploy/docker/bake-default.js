// Makes the embedded default model in a folder, so that an image needs nothing to write to at run time.
import { resolve } from 'node:path';
import { argv } from 'node:process';
import { ensureDefaultModel } from '../../build/src/model/import/default-model.js';

const { folder } = await ensureDefaultModel(resolve(argv[2] ?? 'cache'));
console.log(folder);
