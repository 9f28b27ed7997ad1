import { LoadGenerator } from '../load/generator.ts';
import type { SingleRequest } from '../load/main.ts';
import type { Target } from '../load/target.ts';
import { randomModel, smallShape } from '../models/random-model.ts';
import type { Section } from '../report/section.ts';
import { rocketOverGrpc, rocketOverHttp, startService } from '../processes/service-process.ts';
import { median } from '../report/statistics.ts';
import { ListeningChild } from '../transport/listening-child.ts';

const requests = 100;
const rounds = 3;
const pauseMs = 20;
const channels = String(smallShape.channels);

interface Case {
  readonly transport: string;
  readonly target: Target;
  readonly bareTarget: Target;
  readonly asked: SingleRequest[];
  /** What the client waited for the bare server. */
  readonly bareMs: number[];
}

/** What a request alone on the service takes beyond decoding, resizing and the engine. */
export const idleLatency: Section = {
  title: 'Idle latency: one request at a time, a small model',
  async run(progress) {
    const load = new LoadGenerator();
    const bare = {
      http: new ListeningChild('bare-http', [channels]),
      grpc: new ListeningChild('bare-grpc', [channels]),
    };
    try {
      await Promise.all([bare.http.listen(), bare.grpc.listen()]);
      const service = await startService([`--model=${(await randomModel(smallShape)).folder}`]);
      try {
        const cases: readonly Case[] = [
          {
            transport: 'HTTP',
            target: await rocketOverHttp(`${service.url}/v1/encode?format=raw`),
            bareTarget: await rocketOverHttp(bare.http.url),
            asked: [],
            bareMs: [],
          },
          {
            transport: 'gRPC',
            target: await rocketOverGrpc(service.grpcAddress),
            bareTarget: await rocketOverGrpc(bare.grpc.grpcAddress),
            asked: [],
            bareMs: [],
          },
        ];
        for (let round = 0; round <= rounds; round++) {
          for (const { target, bareTarget, asked, bareMs } of cases) {
            const batch = await load.oneByOne(target, requests, pauseMs);
            const bareBatch = await load.oneByOne(bareTarget, requests, pauseMs);
            // The first round has the code compiled.
            if (round === 0) continue;
            asked.push(...batch);
            bareMs.push(...bareBatch.map(({ wallMs }) => wallMs));
          }
          progress(`round ${round} of ${rounds}`);
        }
        return {
          tables: [
            {
              title: `Medians of ${requests * rounds} requests with rocket.jpg, ms`,
              columns: [
                { title: 'transport' },
                { title: 'client waits', digits: 2 },
                { title: 'decode', digits: 2 },
                { title: 'views', digits: 2 },
                { title: 'engine', digits: 2 },
                { title: 'queue', digits: 2 },
                { title: 'rest', digits: 2 },
                { title: 'rest, p99', digits: 2 },
                { title: 'bare', digits: 2 },
              ],
              rows: cases.map(({ transport, asked, bareMs }) => {
                const stage = (name: string) => median(asked.map((one) => stageMs(one, name)));
                const rest = asked.map(restMs).toSorted((a, b) => a - b);
                const wall = median(asked.map(({ wallMs }) => wallMs));
                return [
                  transport,
                  wall,
                  stage('decode'),
                  stage('views'),
                  stage('engine'),
                  stage('queue'),
                  median(rest),
                  rest[Math.floor(rest.length * 0.99)],
                  median(bareMs),
                ];
              }),
            },
          ],
          verdicts: cases.map(({ transport, asked }) => ({
            what: `${transport} ms beyond decode, resize and engine`,
            value: median(asked.map(restMs)),
            limit: 'at most',
            bar: 3,
          })),
          notes: [
            `"rest" is what the client waits, less the service's own times of decode, views and engine; the queue, the hand-over between threads, the sockets and the client's own work (node:http and node:http2) are in it. ${pauseMs} ms between requests. "bare" is what the same client waits for the same bytes, up and down, from a bare server that answers at once.`,
          ],
        };
      } finally {
        await service.close();
      }
    } finally {
      await Promise.all([load.close(), bare.http.close(), bare.grpc.close()]);
    }
  },
};

function restMs(request: SingleRequest): number {
  const own = ['decode', 'views', 'engine'].map((name) => stageMs(request, name));
  return own.reduce((rest, ms) => rest - ms, request.wallMs);
}

function stageMs({ stagesMs }: SingleRequest, name: string): number {
  return stagesMs[name] ?? Number.NaN;
}
