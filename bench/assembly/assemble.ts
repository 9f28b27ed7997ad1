import { benchModel } from '../models/bench-model.ts';
import { mainThreadCpuMs } from '../processes/thread-cpu.ts';
import { anyresDefaults, planAnyres } from '../../src/recipes/anyres.ts';
import type { Plan } from '../../src/recipes/plan.ts';
import { planTeacher, teacherDefaults } from '../../src/recipes/teacher.ts';
import { assemble } from '../../src/tokens/assembly/assemble.ts';
import { dtypeBytes, type TokenDtype } from '../../src/tokens/tensor.ts';
import { TokenPool } from '../../src/tokens/token-pool.ts';

/** One assembly, on this thread; the median in milliseconds, and the most it may take where there is a bar. */
export interface AssembleRow {
  /** For instance `anyres 3x3, limited to 5052 tokens, float16`. */
  readonly name: string;
  readonly ms: number;
  readonly barMs?: number;
}

const image = { width: 1218, height: 1722 };
const teacher = planTeacher(benchModel, teacherDefaults);
/** 10 views, 1024 + 4028 tokens. */
const anyresPlan: Plan = planAnyres(image, benchModel, anyresDefaults);

const cases: readonly {
  readonly name: string;
  readonly plan: Plan;
  readonly dtype: TokenDtype;
  readonly barMs?: number;
}[] = [
  { name: 'teacher 512+1024, float16', plan: teacher, dtype: 'float16', barMs: 10 },
  { name: 'anyres 3x3, limited, float16', plan: anyresPlan, dtype: 'float16', barMs: 30 },
  { name: 'teacher 512+1024, float32', plan: teacher, dtype: 'float32' },
  { name: 'anyres 3x3, limited, float32', plan: anyresPlan, dtype: 'float32' },
  { name: 'anyres 3x3, limited, bfloat16', plan: anyresPlan, dtype: 'bfloat16' },
  {
    name: 'teacher 512+1024 half_overlap, float16',
    plan: planTeacher(benchModel, { ...teacherDefaults, windows: 'half_overlap' }),
    dtype: 'float16',
  },
  {
    name: 'teacher 512+1024 unshuffle_concat, float16',
    plan: planTeacher(benchModel, { ...teacherDefaults, fusion: 'unshuffle_concat' }),
    dtype: 'float16',
  },
  {
    name: 'anyres 3x3, unlimited, float16',
    plan: planAnyres(image, benchModel, { ...anyresDefaults, maxTiles: 0 }),
    dtype: 'float16',
  },
];

/** Times assemblies at 1152 channels. Takes a few seconds of this thread. */
export function benchAssemble({ rounds = 21 } = {}): AssembleRow[] {
  return cases.map(({ name, plan, dtype, barMs }) => {
    const views = viewTokens(plan);
    const times: number[] = [];
    for (let round = -3; round < rounds; round++) {
      const start = performance.now();
      const answer = assemble(plan, views, dtype);
      const ms = performance.now() - start;
      if (answer.byteLength !== answerBytes(plan, dtype))
        throw new Error(`${name}: ${answer.byteLength} bytes`);
      if (round >= 0) times.push(ms);
    }
    const ms = median(times);
    return barMs === undefined ? { name, ms } : { name, ms, barMs };
  });
}

/** What this thread does of an assembly that the token pool makes. */
export interface HandOverRow {
  readonly name: string;
  /** CPU of this thread an answer, in milliseconds, from Linux's scheduler. */
  readonly cpuMs: number;
}

/** Has answers assembled by the pool, one after the other, and counts what that costs the thread that waits. */
export async function benchHandOver({ answers = 8 } = {}): Promise<HandOverRow[]> {
  const pool = new TokenPool(1);
  try {
    const rows: HandOverRow[] = [];
    for (const { name, plan, dtype } of cases.filter(({ barMs }) => barMs !== undefined)) {
      const requests = Array.from({ length: answers + 1 }, () => viewTokens(plan));
      await pool.assemble(plan, requests.pop()!, dtype);
      const beforeMs = await mainThreadCpuMs(process.pid);
      for (const views of requests) await pool.assemble(plan, views, dtype);
      rows.push({ name, cpuMs: ((await mainThreadCpuMs(process.pid)) - beforeMs) / answers });
    }
    return rows;
  } finally {
    await pool.close();
  }
}

/** Resident memory of this process while AnyRes 3x3 answers are assembled, in MiB. */
export interface AssembleMemoryRow {
  readonly name: string;
  /** Before there were views, with the pool's thread running. */
  readonly beforeMiB: number;
  /** Of the views and the answers alone: what cannot be less where all are held. */
  readonly viewsMiB: number;
  readonly answersMiB: number;
  readonly peakMiB: number;
}

/**
 * Assembles `atOnce` answers through a pool of one thread. What it says holds for a process that did nothing else.
 */
export async function benchAssembleMemory(atOnce: number): Promise<AssembleMemoryRow> {
  const mebibytes = (bytes: number) => bytes / 2 ** 20;
  const resident = () => mebibytes(process.memoryUsage.rss());
  const pool = new TokenPool(1);
  await pool.bfloat16(new Uint8Array(4));
  const beforeMiB = resident();
  let peakMiB = beforeMiB;
  const sampling = setInterval(() => {
    peakMiB = Math.max(peakMiB, resident());
  }, 1);
  try {
    const requests = Array.from({ length: atOnce }, () => viewTokens(anyresPlan));
    const viewsMiB = mebibytes(requests.flat().reduce((sum, { byteLength }) => sum + byteLength, 0));
    const answers = await Promise.all(requests.map((views) => pool.assemble(anyresPlan, views, 'float16')));
    peakMiB = Math.max(peakMiB, resident());
    const answersMiB = mebibytes(answers.reduce((sum, { buffer }) => sum + buffer.byteLength, 0));
    return { name: `anyres 3x3, ${atOnce} at once`, beforeMiB, viewsMiB, answersMiB, peakMiB };
  } finally {
    clearInterval(sampling);
    await pool.close();
  }
}

/** Made-up float32 tokens for every view of a plan, of the size that normalised tokens have. */
function viewTokens({ canvases, viewGrid, channels }: Plan): Uint8Array<ArrayBuffer>[] {
  const views = canvases.reduce((sum, canvas) => sum + canvas.views.length, 0);
  const count = viewGrid.width * viewGrid.height * channels;
  return Array.from({ length: views }, (_, view) => {
    const values = new Float32Array(count);
    // A step that is no simple share of a circle, so that neighbours differ.
    for (let i = 0; i < count; i++) values[i] = ((i * 0.754877 + view * 0.56984) % 1) * 8 - 4;
    return new Uint8Array(values.buffer);
  });
}

function answerBytes({ shape }: Plan, dtype: TokenDtype): number {
  return shape.reduce((product, length) => product * length, dtypeBytes[dtype]);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}
