import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { TaskChild } from '../processes/children.ts';
import { LoadGenerator } from '../load/generator.ts';
import { encodeRequestMessage } from '../load/messages.ts';
import type { Target } from '../load/target.ts';
import { repository } from '../processes/paths.ts';
import type { Section } from '../report/section.ts';
import { median } from '../report/statistics.ts';
import { mainThreadCpuMs } from '../processes/thread-cpu.ts';
import type { Listening } from '../transport/answer.ts';
import { ListeningChild } from '../transport/listening-child.ts';

const clients = 4;
const rounds = 16;
const settling = { kind: 'requests', requests: 3000 } as const;
const reconnecting = { kind: 'requests', requests: 30 } as const;
const counted = { kind: 'requests', requests: 300 } as const;
const transports = ['http', 'grpc'] as const;

/** What metrics and traces add to the main thread's CPU of a request. */
export const telemetry: Section = {
  title: 'Metrics and traces: CPU of a request on a stub engine',
  async run(progress) {
    if (process.platform !== 'linux')
      return { tables: [], verdicts: [], notes: [], skipped: "It reads Linux's schedstat." };
    const load = new LoadGenerator();
    const collector = new TaskChild<never, Listening>('telemetry/collector');
    const { httpPort } = await collector.next();
    const traced = (share: number) => ({
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${httpPort}`,
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: String(share),
    });
    const variants = [
      { name: 'no metrics, no traces', service: stub(['no-metrics']) },
      { name: 'metrics', service: stub([]) },
      { name: 'metrics, 10 % traced', service: stub([], traced(0.1)) },
      { name: 'metrics, 100 % traced', service: stub([], traced(1)) },
    ];
    try {
      await Promise.all(variants.map(({ service }) => service.listen()));
      const figures = transports.map(() => variants.map((): number[] => []));
      for (let round = 0; round <= rounds; round++) {
        for (const [which, transport] of transports.entries()) {
          // Each goes first as often as the others.
          for (let turn = 0; turn < variants.length; turn++) {
            const index = (turn + round) % variants.length;
            const { service } = variants[index]!;
            const target = await targetOf(service, transport);
            await load.closedLoop(target, clients, round === 0 ? settling : reconnecting);
            const beforeMs = await mainThreadCpuMs(service.pid);
            const { answers } = await load.closedLoop(target, clients, counted);
            const cpuMs = ((await mainThreadCpuMs(service.pid)) - beforeMs) / answers;
            if (round > 0) figures[which]![index]!.push(cpuMs);
          }
        }
        progress(`round ${round} of ${rounds}`);
      }
      /** What a variant takes more than another, round by round. */
      const more = (which: number, index: number, than: number) =>
        median(figures[which]![index]!.map((cpuMs, round) => cpuMs - figures[which]![than]![round]!));
      return {
        tables: [
          {
            title: `Main-thread CPU of one request, medians of ${rounds} rounds of ${counted.requests}`,
            columns: [
              { title: 'telemetry' },
              ...transports.flatMap((transport) => [
                { title: `${transport} ms`, digits: 3 },
                { title: 'more', digits: 3 },
              ]),
            ],
            rows: variants.map(({ name }, index) => [
              name,
              ...transports.flatMap((_, which) => [
                median(figures[which]![index]!),
                more(which, index, index > 1 ? 1 : 0),
              ]),
            ]),
          },
        ],
        verdicts: transports.flatMap((transport, which) => [
          {
            what: `${transport}: ms that metrics add`,
            value: more(which, 1, 0),
            limit: 'at most' as const,
            bar: 0.1,
          },
          {
            what: `${transport}: ms that tracing of all requests adds`,
            value: more(which, 3, 1),
            limit: 'at most' as const,
            bar: 0.5,
          },
        ]),
        notes: [
          '"more": than without metrics, and of the traced rows than with metrics alone; the median over rounds of the difference in the same round.',
          'The service over a stub engine, decoder and view pool, as in the transport section, but for answers of 1,024 x 16 float16: sending 2.4 MB varies by more than what is asked here. Traces go over OTLP (HTTP, protobuf) to a collector in another process; encoding and sending them is in the figure.',
          `${clients} requests in flight, from another process. CPU is the thread's schedstat.`,
        ],
      };
    } finally {
      await Promise.all([load.close(), collector.close(), ...variants.map(({ service }) => service.close())]);
    }
  },
};

function stub(args: readonly string[], env: Readonly<Record<string, string>> = {}): ListeningChild {
  return new ListeningChild('stub-service', ['stub-pixels', 'small-answers', ...args], env);
}

async function targetOf(server: ListeningChild, transport: 'http' | 'grpc'): Promise<Target> {
  const file = await readFile(join(repository, 'test/fixtures/images/tall.webp'));
  if (transport === 'http') return { transport, url: `${server.url}/v1/encode?format=raw`, body: file };
  return { transport, address: server.grpcAddress, message: encodeRequestMessage(file) };
}
