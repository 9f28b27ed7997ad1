import { spawn } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Raster } from '../../src/image/raster.ts';
import { resample } from '../../src/image/resample.ts';
import type { Resample } from '../../src/recipes/plan.ts';

/** One picture resized to a square, by this project and by Pillow in turns; medians in milliseconds. */
export interface ResampleRow {
  /** For instance `4000 x 3000 to 512, bilinear`. */
  readonly name: string;
  readonly oursMs: number;
  /** Pillow's version; absent, like what follows, where python3 has no Pillow. */
  readonly pillow?: string;
  readonly pillowMs?: number;
  /** Ours through Pillow's: less than 1 is faster. */
  readonly ratio?: number;
}

interface Case {
  readonly width: number;
  readonly height: number;
  readonly size: number;
  readonly filter: Resample;
}

const pictures = [
  { width: 640, height: 427, sizes: [512] },
  { width: 1218, height: 1722, sizes: [512, 1024, 1536] },
  { width: 4000, height: 3000, sizes: [512] },
];
const cases: readonly Case[] = pictures.flatMap(({ width, height, sizes }) =>
  sizes.flatMap((size) =>
    (['bilinear', 'bicubic'] as const).map((filter) => ({ width, height, size, filter })),
  ),
);
const warmUps = 5;

/**
 * Times resizing beside Pillow, turn by turn in one run, one thread each. `python` is an interpreter that may have
 * Pillow. Takes a few seconds of this thread.
 */
export async function benchResample({ python = 'python3', rounds = 21 } = {}): Promise<ResampleRow[]> {
  const pillow = await startPillow(python);
  try {
    const rasters = new Map<string, Raster>();
    const rows: ResampleRow[] = [];
    for (const [index, { width, height, size, filter }] of cases.entries()) {
      const key = `${width} x ${height}`;
      const raster = rasters.get(key) ?? noise(width, height);
      rasters.set(key, raster);
      const ours: number[] = [];
      const theirs: number[] = [];
      for (let round = -warmUps; round < rounds; round++) {
        const start = performance.now();
        resample(raster, { width: size, height: size }, filter);
        const oursMs = performance.now() - start;
        const theirsMs = await pillow?.resize(index);
        if (round < 0) continue;
        ours.push(oursMs);
        if (theirsMs !== undefined) theirs.push(theirsMs);
      }
      const row = { name: `${key} to ${size}, ${filter}`, oursMs: median(ours) };
      if (pillow === undefined) {
        rows.push(row);
        continue;
      }
      const pillowMs = median(theirs);
      rows.push({ ...row, pillow: pillow.version, pillowMs, ratio: row.oursMs / pillowMs });
    }
    return rows;
  } finally {
    pillow?.close();
  }
}

interface Pillow {
  readonly version: string;
  /** Milliseconds that one resize of the case took, as Pillow's side measured it. */
  resize(index: number): Promise<number>;
  close(): void;
}

async function startPillow(python: string): Promise<Pillow | undefined> {
  const child = spawn(python, [peerScript], { stdio: ['pipe', 'pipe', 'ignore'] });
  child.on('error', () => undefined);
  child.stdin.on('error', () => undefined);
  child.stdin.write(`${JSON.stringify(cases)}\n`);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const first = await lines.next();
  if (first.done) return undefined;
  return {
    version: (JSON.parse(first.value) as { pillow: string }).pillow,
    async resize(index) {
      child.stdin.write(`${index}\n`);
      const { done, value } = await lines.next();
      if (done) throw new Error('the Pillow side of the benchmark ended early');
      return Number(value);
    },
    close: () => child.stdin.end(),
  };
}

/** The Python side, which is not copied into build/. */
const peerScript = fileURLToPath(new URL('../../../bench/resample/pillow-resample.py', import.meta.url));

function noise(width: number, height: number): Raster {
  return { width, height, data: randomFillSync(new Uint8Array(width * height * 3)) };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
