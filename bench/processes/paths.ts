import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folder of the repository: this file runs from build/bench. */
export const repository = fileURLToPath(new URL('../../../', import.meta.url));

/** A photograph of 640 x 427 pixels, 112 kB. */
export const rocketFile = join(repository, 'test/fixtures/images/rocket.jpg');

/** Where the benchmark keeps the models it makes. */
export const benchCache = join(tmpdir(), 'siglip-hd-bench');
