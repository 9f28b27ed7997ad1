import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { importModel } from '../../src/model/import/import-model.ts';
import type { ImportOptions } from '../../src/model/import/import-model.ts';

export type FixtureOptions = Partial<
  Pick<ImportOptions, 'features' | 'classToken' | 'pooled' | 'precision' | 'imageSize' | 'resize'>
>;

/** A folder for a test's files. */
export function scratchFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'siglip-hd-test-'));
  return { path, remove: () => rmSync(path, { recursive: true }) };
}

/** Imports one of test/fixtures' checkpoints, in fp32 unless told otherwise; gives the model folder. */
export async function importFixture(
  scratch: string,
  checkpoint: string,
  options: FixtureOptions = {},
): Promise<string> {
  const asked = { features: ['last_hidden_state'], precision: 'fp32', ...options } as const;
  const out = join(scratch, [checkpoint, ...Object.values(asked)].join('-'));
  await importModel({ source: join('test/fixtures', checkpoint), out, ...asked });
  return out;
}
