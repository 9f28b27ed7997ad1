import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

const fixtures = fileURLToPath(new URL('../../../../test/fixtures/', import.meta.url));

/** Absolute path of a file or folder of test/fixtures. */
export function fixture(name: string): string {
  return join(fixtures, name);
}

/** A folder of its own for a test, removed after it. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'siglip-hd-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Values of one of the golden float32 .npy files. */
export async function expectedTokens(name: string): Promise<Float32Array> {
  const file = await readFile(fixture(`expected/${name}`));
  const start = 10 + file.readUInt16LE(8);
  return new Float32Array(Uint8Array.from(file.subarray(start)).buffer);
}
