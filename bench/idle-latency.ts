import { LoadGenerator } from './load/generator.ts';
import type { SingleRequest } from './load/main.ts';
import type { Section } from './section.ts';
import { rocketOverGrpc, rocketOverHttp, startService } from './service-process.ts';
import { median } from './statistics.ts';

const requests = 100;
const rounds = 3;
const pauseMs = 20;
const stages = ['decode', 'views', 'engine'] as const;

/** What a request alone on the service takes beyond decoding, resizing and the engine. */
export const idleLatency: Section = {
  title: 'Idle latency: one request at a time, embedded default model',
  async run(progress) {
    const load = new LoadGenerator();
    try {
      const service = await startService([]);
      try {
        const targets = {
          HTTP: await rocketOverHttp(`${service.url}/v1/encode?format=raw`),
          gRPC: await rocketOverGrpc(service.grpcAddress),
        };
        const each: Record<keyof typeof targets, SingleRequest[]> = { HTTP: [], gRPC: [] };
        for (let round = 0; round <= rounds; round++) {
          for (const transport of ['HTTP', 'gRPC'] as const) {
            const asked = await load.oneByOne(targets[transport], requests, pauseMs);
            if (round > 0) each[transport].push(...asked);
          }
          progress(`round ${round} of ${rounds}`);
        }
        const overheads = { HTTP: each.HTTP.map(overheadMs), gRPC: each.gRPC.map(overheadMs) };
        return {
          tables: [
            {
              title: `Medians of ${requests * rounds} requests with rocket.jpg, ms`,
              columns: [
                { title: 'transport' },
                { title: 'client waits', digits: 2 },
                ...[...stages, 'queue'].map((title) => ({ title, digits: 2 })),
                { title: 'rest', digits: 2 },
                { title: 'rest, p99', digits: 2 },
              ],
              rows: (['HTTP', 'gRPC'] as const).map((transport) => [
                transport,
                median(each[transport].map(({ wallMs }) => wallMs)),
                ...[...stages, 'queue'].map((stage) =>
                  median(each[transport].map(({ stagesMs }) => stagesMs[stage] ?? Number.NaN)),
                ),
                median(overheads[transport]),
                overheads[transport].toSorted((a, b) => a - b)[Math.floor(overheads[transport].length * 0.99)],
              ]),
            },
          ],
          verdicts: (['HTTP', 'gRPC'] as const).map((transport) => ({
            what: `${transport} ms beyond decode, resize and engine`,
            value: median(overheads[transport]),
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

function overheadMs({ wallMs, stagesMs }: SingleRequest): number {
  return wallMs - stages.reduce((sum, stage) => sum + (stagesMs[stage] ?? Number.NaN), 0);
}
