import { LoadGenerator } from './load/generator.ts';
import type { SingleRequest } from './load/main.ts';
import type { Section } from './section.ts';
import { rocketOverGrpc, rocketOverHttp, startService } from './service-process.ts';
import { median } from './statistics.ts';

const requests = 100;
const rounds = 3;
const pauseMs = 20;

/** What a request alone on the service takes beyond decoding, resizing and the engine. */
export const idleLatency: Section = {
  title: 'Idle latency: one request at a time, embedded default model',
  async run(progress) {
    const load = new LoadGenerator();
    try {
      const service = await startService([]);
      try {
        const cases = [
          { transport: 'HTTP', target: await rocketOverHttp(`${service.url}/v1/encode?format=raw`) },
          { transport: 'gRPC', target: await rocketOverGrpc(service.grpcAddress) },
        ].map((one) => ({ transport: one.transport, target: one.target, asked: [] as SingleRequest[] }));
        for (let round = 0; round <= rounds; round++) {
          for (const { target, asked } of cases) {
            const batch = await load.oneByOne(target, requests, pauseMs);
            // The first round has the code compiled.
            if (round > 0) asked.push(...batch);
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
              ],
              rows: cases.map(({ transport, asked }) => {
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
            `"rest" is what the client waits, less the service's own times of decode, views and engine; the queue, the hand-over between threads, the sockets and the client's own work are in it. ${pauseMs} ms between requests.`,
          ],
        };
      } finally {
        await service.close();
      }
    } finally {
      await load.close();
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
