import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { LoadGenerator } from '../load/generator.ts';
import { howToGetPeer, peerVersions, startPeer } from '../processes/fastapi-peer.ts';
import { randomModel, smallShape } from '../models/random-model.ts';
import { rocketFile } from '../processes/paths.ts';
import type { Section } from '../report/section.ts';
import { rocketOverHttp, type ServerProcess, startService } from '../processes/service-process.ts';
import { median } from '../report/statistics.ts';

const clientCounts = [1, 8, 32];
const rounds = 5;
const until = { kind: 'time', settleMs: 500, windowMs: 3_000 } as const;

/** The service beside the fifty lines that one would write instead, on a small model. */
export const peers: Section = {
  title: 'Peers: the service beside FastAPI, Pillow and onnxruntime',
  async run(progress) {
    const versions = peerVersions();
    if (versions === undefined) return { tables: [], verdicts: [], notes: [], skipped: howToGetPeer };
    const load = new LoadGenerator();
    try {
      const rows: number[][] = [];
      const differences: number[] = [];
      for (const threads of new Set([1, availableParallelism()])) {
        const pair = await startPair(threads);
        try {
          differences.push(await largestDifference(pair.service.url, pair.peer.url));
          for (const clients of clientCounts) {
            const row = await compare(pair, load, clients);
            rows.push([threads, clients, ...row]);
            progress(
              `${threads} threads, ${clients} clients: ${row.map((cell) => cell.toFixed(1)).join(', ')}`,
            );
          }
        } finally {
          await pair.close();
        }
      }
      return {
        tables: [
          {
            title: `rocket.jpg in, float16 .npy out, the same intra-op threads; medians of ${rounds} rounds`,
            columns: [
              { title: 'threads' },
              { title: 'clients' },
              { title: 'service req/s', digits: 1 },
              { title: 'FastAPI req/s', digits: 1 },
              { title: 'ratio', digits: 2 },
              { title: 'service p99 ms', digits: 1 },
              { title: 'FastAPI p99 ms', digits: 1 },
            ],
            rows,
          },
        ],
        verdicts: [],
        notes: [
          `The peer: ${versions}. An async endpoint hands the work to FastAPI's thread pool, where several requests run the session at once: with 8 clients and 1 intra-op thread it computes on every core, while the service, which runs one batch at a time, computes on one. With as many threads as cores both may use them all. The clients are a process on the same machine.`,
          `Largest difference between their tokens: ${Math.max(...differences)}.`,
        ],
      };
    } finally {
      await load.close();
    }
  },
};

interface Pair {
  readonly service: ServerProcess;
  readonly peer: ServerProcess;
  close(): Promise<void>;
}

async function startPair(threads: number): Promise<Pair> {
  const { folder } = await randomModel(smallShape);
  const service = await startService([`--model=${folder}`, `--threads=${threads}`]);
  try {
    const peer = await startPeer(folder, threads);
    return { service, peer, close: async () => void (await Promise.all([service.close(), peer.close()])) };
  } catch (error) {
    await service.close();
    throw error;
  }
}

/** Requests a second of service and peer, their ratio, and the p99s in milliseconds. */
async function compare(pair: Pair, load: LoadGenerator, clients: number): Promise<number[]> {
  const runs = { service: [] as Run[], peer: [] as Run[] };
  for (let round = 1; round <= rounds; round++) {
    for (const side of ['service', 'peer'] as const) {
      const target = await rocketOverHttp(`${pair[side].url}/encode`);
      const { perSecond, latency } = await load.closedLoop(target, clients, until);
      runs[side].push({ perSecond, p99Ms: latency.p99Ms });
    }
  }
  const of = (side: keyof typeof runs, figure: keyof Run) => median(runs[side].map((run) => run[figure]));
  return [
    of('service', 'perSecond'),
    of('peer', 'perSecond'),
    median(runs.service.map((run, round) => run.perSecond / runs.peer[round]!.perSecond)),
    of('service', 'p99Ms'),
    of('peer', 'p99Ms'),
  ];
}

interface Run {
  readonly perSecond: number;
  readonly p99Ms: number;
}

/** Between the tokens of one image from both, as float16 values: that they do the same work. */
async function largestDifference(...urls: readonly string[]): Promise<number> {
  const body = await readFile(rocketFile);
  const [ours, theirs] = await Promise.all(
    urls.map(async (url) => {
      const response = await fetch(`${url}/encode`, {
        method: 'POST',
        body,
        headers: { 'cache-control': 'no-store' },
      });
      const file = Buffer.from(await response.arrayBuffer());
      return file.subarray(10 + file.readUInt16LE(8));
    }),
  );
  let largest = 0;
  for (let at = 0; at < ours!.byteLength; at += 2) {
    largest = Math.max(
      largest,
      Math.abs(fromHalf(ours!.readUInt16LE(at)) - fromHalf(theirs!.readUInt16LE(at))),
    );
  }
  return largest;
}

function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
