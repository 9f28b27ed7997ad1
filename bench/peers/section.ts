import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureDefaultModel } from '../../src/model/default-model.ts';
import { LoadGenerator } from '../load/generator.ts';
import { benchCache, repository, rocketFile } from '../paths.ts';
import type { Section } from '../section.ts';
import {
  freePorts,
  rocketOverHttp,
  type ServerProcess,
  startServer,
  startService,
} from '../service-process.ts';
import { median } from '../statistics.ts';

const threads = 1;
const clientCounts = [1, 8, 32];
const rounds = 5;
const until = { kind: 'time', settleMs: 1_000, windowMs: 4_000 } as const;
const peerFolder = join(repository, 'bench/peers/fastapi');
const howTo = `It needs Python with FastAPI, Pillow and onnxruntime:
  python3 -m venv /tmp/peer && /tmp/peer/bin/pip install -r bench/peers/fastapi/requirements.txt
  PEER_PYTHON=/tmp/peer/bin/python npm run bench -- peers`;

/** The service beside the fifty lines that one would write instead, on the embedded default model. */
export const peers: Section = {
  title: 'Peers: the service beside FastAPI, Pillow and onnxruntime',
  async run(progress) {
    const python = process.env['PEER_PYTHON'] ?? 'python3';
    const versions = peerVersions(python);
    if (versions === undefined) {
      return { tables: [], verdicts: [], notes: [], skipped: `${python} cannot run the peer. ${howTo}` };
    }
    const load = new LoadGenerator();
    const servers: ServerProcess[] = [];
    try {
      const service = await startService(['--threads', String(threads)]);
      servers.push(service);
      const peer = await startPeer(python);
      servers.push(peer);
      const difference = await largestDifference(service.url, peer.url);
      const sides = { service: `${service.url}/encode`, peer: `${peer.url}/encode` };
      const rows: number[][] = [];
      for (const clients of clientCounts) {
        const runs = { service: [] as Run[], peer: [] as Run[] };
        for (let round = 1; round <= rounds; round++) {
          for (const side of ['service', 'peer'] as const) {
            const { perSecond, latency } = await load.closedLoop(
              await rocketOverHttp(sides[side]),
              clients,
              until,
            );
            runs[side].push({ perSecond, p99Ms: latency.p99Ms });
          }
        }
        const of = (side: keyof typeof runs, figure: keyof Run) =>
          median(runs[side].map((run) => run[figure]));
        const ratio = median(runs.service.map((run, round) => run.perSecond / runs.peer[round]!.perSecond));
        rows.push([
          clients,
          of('service', 'perSecond'),
          of('peer', 'perSecond'),
          ratio,
          of('service', 'p99Ms'),
          of('peer', 'p99Ms'),
        ]);
        progress(
          `${clients} clients: ${rows
            .at(-1)!
            .map((cell) => cell.toFixed(1))
            .join(', ')}`,
        );
      }
      return {
        tables: [
          {
            title: `rocket.jpg in, float16 .npy out; ${threads} intra-op thread each; medians of ${rounds} rounds`,
            columns: [
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
          `The peer: ${versions}. An async endpoint hands the work to FastAPI's thread pool, where several requests run the session at once, each on ${threads} thread; so it may use every core for the model. The service has one engine thread. The clients are a process on the same machine.`,
          `Largest difference between their tokens: ${difference}.`,
        ],
      };
    } finally {
      await Promise.all([load.close(), ...servers.map((server) => server.close())]);
    }
  },
};

interface Run {
  readonly perSecond: number;
  readonly p99Ms: number;
}

function peerVersions(python: string): string | undefined {
  const program = [
    'import sys, fastapi, uvicorn, PIL, onnxruntime, numpy',
    'print(f"Python {sys.version.split()[0]}, fastapi {fastapi.__version__}, uvicorn {uvicorn.__version__}, "',
    '  f"Pillow {PIL.__version__}, onnxruntime {onnxruntime.__version__}, numpy {numpy.__version__}")',
  ].join('\n');
  const { status, stdout } = spawnSync(python, ['-c', program], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : undefined;
}

async function startPeer(python: string): Promise<ServerProcess> {
  const { folder } = await ensureDefaultModel(benchCache);
  const [port] = await freePorts(1);
  return await startServer(
    python,
    ['-m', 'uvicorn', 'app:app', '--app-dir', peerFolder, '--port', String(port), '--no-access-log'],
    { port: port!, readyPath: '/healthz', env: { MODEL: folder, THREADS: String(threads) } },
  );
}

/** Between the tokens of one image from both, as float16 values: that they do the same work. */
async function largestDifference(...urls: readonly string[]): Promise<number> {
  const body = await readFile(rocketFile);
  const [ours, theirs] = await Promise.all(
    urls.map(async (url) => {
      const response = await fetch(`${url}/encode`, { method: 'POST', body });
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
