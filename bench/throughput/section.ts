import { LoadGenerator } from '../load/generator.ts';
import type { Target } from '../load/target.ts';
import type { Section } from '../report/section.ts';
import { rocketOverGrpc, rocketOverHttp, startService } from '../processes/service-process.ts';
import { median } from '../report/statistics.ts';
import { BareLoop, calibratedModel } from './bare-loops.ts';

const threads = 1;
const clients = 8;
const rounds = 5;
const bareMs = 8_000;
/** Between the ticks of prom-client's event loop monitor. */
const tickMs = 10;
const until = { kind: 'time', settleMs: 2_000, windowMs: 12_000 } as const;

/** How much of a bare loop's rate is left over HTTP and gRPC, and how free the main thread is meanwhile. */
export const throughput: Section = {
  title: `Throughput: ${clients} clients send rocket.jpg, one engine thread`,
  async run(progress) {
    const bare = new BareLoop(threads);
    const load = new LoadGenerator();
    try {
      const model = await calibratedModel(bare, progress);
      const batches = await bare.byBatch(model);
      const [best] = batches.toSorted((a, b) => b.perSecond - a.perSecond);
      progress(`bare loop: best with batches of ${best!.views}`);
      const service = await startService(['--model', model.folder, '--threads', String(threads)]);
      try {
        const targets: Record<'http' | 'grpc', Target> = {
          http: await rocketOverHttp(`${service.url}/v1/encode?format=raw`),
          grpc: await rocketOverGrpc(service.grpcAddress),
        };
        const rates = { bare: [] as number[], http: [] as number[], grpc: [] as number[] };
        const p99Ms = { http: [] as number[], grpc: [] as number[] };
        const health: number[] = [];
        const lag: number[] = [];
        for (let round = 1; round <= rounds; round++) {
          rates.bare.push(await bare.rate(model, best!.views, bareMs));
          for (const transport of ['http', 'grpc'] as const) {
            await eventLoopP99Ms(service.url);
            const run = await load.closedLoop(targets[transport], clients, until, `${service.url}/healthz`);
            lag.push(await eventLoopP99Ms(service.url));
            rates[transport].push(run.perSecond);
            p99Ms[transport].push(run.latency.p99Ms);
            health.push(run.probe!.p99Ms);
          }
          const last = [rates.bare, rates.http, rates.grpc].map((rate) => rate.at(-1)!.toFixed(2));
          progress(`round ${round} of ${rounds}: bare ${last[0]}, HTTP ${last[1]}, gRPC ${last[2]} views/s`);
        }
        // Neighbours in time are compared: a machine that slows down slows both.
        const ratio = (transport: 'http' | 'grpc') =>
          median(rates[transport].map((rate, round) => rate / rates.bare[round]!));
        const bareRate = median(rates.bare);
        return {
          tables: [
            {
              title: `Views a second, medians of ${rounds} rounds (${(1000 / batches[0]!.perSecond).toFixed(0)} ms a view alone)`,
              columns: [
                { title: 'path' },
                { title: 'views/s', digits: 2 },
                { title: 'bare loop', digits: 2 },
                { title: 'ratio', digits: 3 },
                { title: 'p99 ms' },
              ],
              rows: [
                [`session.run, batch ${best!.views}`, bareRate, bareRate, 1, undefined],
                ['HTTP, raw', median(rates.http), bareRate, ratio('http'), median(p99Ms.http)],
                ['gRPC', median(rates.grpc), bareRate, ratio('grpc'), median(p99Ms.grpc)],
              ],
            },
            {
              title: 'The bare loop by batch',
              columns: [{ title: 'batch' }, { title: 'views/s', digits: 2 }],
              rows: batches.map(({ views, perSecond }) => [views, perSecond]),
            },
            {
              title: 'Main thread under that load: medians of the rounds, and the worst',
              columns: [
                { title: 'what' },
                { title: 'p99 ms', digits: 1 },
                { title: 'worst p99 ms', digits: 1 },
              ],
              rows: [
                [`event loop, between two ticks of ${tickMs} ms`, median(lag), Math.max(...lag)],
                ['GET /healthz', median(health), Math.max(...health)],
              ],
            },
          ],
          verdicts: [
            { what: 'HTTP views/s, of the bare loop', value: ratio('http'), limit: 'at least', bar: 0.95 },
            { what: 'gRPC views/s, of the bare loop', value: ratio('grpc'), limit: 'at least', bar: 0.95 },
            {
              what: 'event loop delay p99 ms under load',
              value: median(lag) - tickMs,
              limit: 'at most',
              bar: 20,
            },
            { what: '/healthz p99 ms under load', value: median(health), limit: 'at most', bar: 50 },
          ],
          notes: [
            `The model has ${model.channels} channels and ${model.layers} layers with random weights. Service, bare loop and clients are processes of their own; the clients share the other core with the service's main thread.`,
            `A ratio is the median of the rounds' own ratios. The event loop's figure is prom-client's, from the service's /metrics: it is the time between two ticks of a timer, so the delay is what is over ${tickMs} ms.`,
          ],
        };
      } finally {
        await service.close();
      }
    } finally {
      await Promise.all([bare.close(), load.close()]);
    }
  },
};

/** What the service itself measured since it was last asked. */
async function eventLoopP99Ms(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const seconds = /^nodejs_eventloop_lag_p99_seconds ([\d.e+-]+)$/m.exec(text)?.[1];
  if (seconds === undefined) throw new Error('/metrics has no event loop delay');
  return Number(seconds) * 1000;
}
