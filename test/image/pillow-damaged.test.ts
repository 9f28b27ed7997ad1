import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { decodeInto } from '../../src/image/decode.ts';
import { type ErrorCode, ServiceError } from '../../src/errors/service-error.ts';
import type { Raster, RowSource } from '../../src/image/raster.ts';
import { externalTest, runProgram } from '../support/external.ts';
import { fuzzRuns, fuzzSeed } from '../support/fuzzing.ts';
import { mutatedJpeg } from './mutated-jpegs.ts';

const numRuns = fuzzRuns(1200);
const python = process.env['PYTHON'] ?? 'python3';
const byPillow = fileURLToPath(new URL('../../../test/fixtures/decode-by-pillow.py', import.meta.url));
const options = { exif: 'apply', maxPixels: 1e6 } as const;
/** What a file is to blame for. */
const refusals: ReadonlySet<ErrorCode> = new Set(['invalid_argument', 'too_large']);

async function missingPillow(): Promise<string | undefined> {
  const { stdout } = await runProgram(python, ['-c', 'import PIL; print(PIL.__version__)']);
  return stdout.trim() === '12.3.0' ? undefined : `${python} has no Pillow 12.3.0`;
}

/** The size and SHA-256 of the pixels that the service reads, strip by strip where it can; or "refused". A fault is thrown. */
async function outcomeOf(file: Buffer): Promise<string> {
  const read = (pixels: Raster | RowSource): string => {
    const { width, height } = pixels;
    const data = 'data' in pixels ? pixels.data : new Uint8Array(width * height * 3);
    if ('readRows' in pixels) pixels.readRows(0, height, data);
    return `${width}x${height} ${createHash('sha256').update(data).digest('hex')}`;
  };
  try {
    return await decodeInto(file, options, true, read);
  } catch (error) {
    if (error instanceof ServiceError && refusals.has(error.code)) return 'refused';
    throw error;
  }
}

externalTest("a damaged JPEG that is decoded has Pillow's pixels", missingPillow, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'damaged-'));
  t.after(() => rm(folder, { recursive: true }));
  let [equal, bothRefuse, onlyPillowRefuses, onlyServiceRefuses] = [0, 0, 0, 0];
  // Most files of a folder, which bounds what lies on the disk.
  for (let from = 0; from < numRuns; from += 2000) {
    const part = join(folder, String(from));
    await mkdir(part);
    const files = fc.sample(mutatedJpeg, { numRuns: Math.min(2000, numRuns - from), seed: fuzzSeed + from });
    for (const [index, file] of files.entries()) await writeFile(join(part, String(index)), file);
    const { exitCode, stdout, stderr } = await runProgram(python, [
      byPillow,
      part,
      String(options.maxPixels),
    ]);
    assert.equal(exitCode, 0, stderr);
    const lines = stdout.trimEnd().split('\n');
    assert.equal(lines.length, files.length);
    for (const line of lines) {
      const [name, wanted] = [line.slice(0, line.indexOf(' ')), line.slice(line.indexOf(' ') + 1)];
      const file = files[Number(name)]!;
      const outcome = await outcomeOf(file);
      if (outcome === 'refused' && wanted === 'refused') bothRefuse++;
      else if (wanted === 'refused') onlyPillowRefuses++;
      else if (outcome === 'refused') onlyServiceRefuses++;
      else if (outcome === wanted) equal++;
      else assert.fail(`${outcome}, and ${wanted} by Pillow: ${file.toString('base64')}`);
    }
    await rm(part, { recursive: true });
  }
  const counts = `${equal} equal, ${bothRefuse} refused by both, ${onlyPillowRefuses} by Pillow, ${onlyServiceRefuses} by the service`;
  t.diagnostic(counts);
  // Pillow alone refuses what is wrong behind the pixels, and libvips alone some kinds of fault.
  assert.ok(
    equal > numRuns / 4 && onlyPillowRefuses < numRuns / 8 && onlyServiceRefuses < numRuns / 50,
    counts,
  );
});
