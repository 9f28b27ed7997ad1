import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { importModel } from '../../src/model/import.ts';
import type { FeatureLayer } from '../../src/model/model.ts';

/** A folder for a test's files. */
export function scratchFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'siglip-hd-test-'));
  return { path, remove: () => rmSync(path, { recursive: true }) };
}

/** Imports one of test/fixtures' checkpoints in fp32; gives the model folder. */
export async function importFixture(
  scratch: string,
  checkpoint: string,
  features: FeatureLayer = 'last_hidden_state',
): Promise<string> {
  const out = join(scratch, `${checkpoint}-${features}`);
  await importModel({ source: join('test/fixtures', checkpoint), out, features, precision: 'fp32' });
  return out;
}
