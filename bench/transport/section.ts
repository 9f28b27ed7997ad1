import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LoadGenerator } from '../load/generator.ts';
import { encodeRequestMessage } from '../load/messages.ts';
import { type Settling, totalOf } from '../load/settling.ts';
import type { Target } from '../load/target.ts';
import { repository } from '../processes/paths.ts';
import type { Section } from '../report/section.ts';
import { median } from '../report/statistics.ts';
import { mainThreadCpuMs } from '../processes/thread-cpu.ts';
import { shape } from './answer.ts';
import { ListeningChild } from './listening-child.ts';

const clients = 4;
/**
 * What is stubbed where a bare server does no more than the service. The bar holds for this case and for the other.
 */
const transportsAlone = 'engine, decode, views';
const rounds = 3;
/** The engine is asked once; the bare server takes the SHA-256 of the body. */
const cacheHit = 'nothing: a cache hit';
/**
 * Requests before the first round. V8 goes on compiling the service for 6,000 requests or more, of which the first transport makes
 * the most, and a bare server for a few hundred.
 */
const settling = {
  service: { http: [500, 6000], grpc: [250, 1000] },
  bare: { http: [500, 1000], grpc: [250, 500] },
} as const satisfies Record<'service' | 'bare', Record<Case['transport'], Settling>>;
/** Uncounted requests before each window, on either side. */
const reconnecting = 30;
const counted = 300;

interface Case {
  readonly name: string;
  readonly transport: 'http' | 'grpc';
  readonly service: ListeningChild;
  readonly bare: ListeningChild;
  /** The answer comes from the cache, and the bare server takes the body's SHA-256. */
  readonly cached?: true;
}

/** Main-thread CPU of an answer from a stub engine, beside bare servers that send the same bytes. */
export const transportCpu: Section = {
  title: `Transport CPU: ${shape.join(' x ')} float16 from a stub engine`,
  async run(progress) {
    if (process.platform !== 'linux')
      return { tables: [], verdicts: [], notes: [], skipped: "It reads Linux's schedstat." };
    const load = new LoadGenerator();
    const service = new ListeningChild('stub-service');
    const stubPixels = new ListeningChild('stub-service', ['stub-pixels']);
    const bare = { http: new ListeningChild('bare-http'), grpc: new ListeningChild('bare-grpc') };
    const caching = new ListeningChild('stub-service', ['cache']);
    const hashing = {
      http: new ListeningChild('bare-http', [String(shape[1]), 'hash']),
      grpc: new ListeningChild('bare-grpc', [String(shape[1]), 'hash']),
    };
    const servers = [service, stubPixels, bare.http, bare.grpc, caching, hashing.http, hashing.grpc];
    try {
      await Promise.all(servers.map((server) => server.listen()));
      const cases = (['http', 'grpc'] as const).flatMap((transport): Case[] => [
        { name: 'engine', transport, service, bare: bare[transport] },
        {
          name: transportsAlone,
          transport,
          service: stubPixels,
          bare: bare[transport],
        },
        { name: cacheHit, transport, service: caching, bare: hashing[transport], cached: true },
      ]);
      const sides = { service: cases.map((): number[] => []), bare: cases.map((): number[] => []) };
      for (let round = 0; round <= rounds; round++) {
        for (const [index, { transport, cached, ...pair }] of cases.entries()) {
          // The one that goes first changes from round to round.
          const order = round % 2 === 0 ? (['service', 'bare'] as const) : (['bare', 'service'] as const);
          for (const side of order) {
            const target = await targetOf(pair[side], transport, cached);
            const ask = (requests: number) =>
              load.closedLoop(target, clients, { kind: 'requests', requests });
            if (round === 0) {
              for (const requests of settling[side][transport]) await ask(requests);
              continue;
            }
            await ask(reconnecting);
            const beforeMs = await mainThreadCpuMs(pair[side].pid);
            const { answers } = await ask(counted);
            sides[side][index]!.push(((await mainThreadCpuMs(pair[side].pid)) - beforeMs) / answers);
          }
          progress(roundLine(round, cases[index]!, sides.service[index]!.at(-1), sides.bare[index]!.at(-1)));
        }
      }
      const rows = cases.map(({ name, transport }, index) => {
        const [ours, bareMs] = [sides.service[index]!, sides.bare[index]!];
        const ratio = median(ours.map((cpuMs, round) => cpuMs / bareMs[round]!));
        return { name, transport, ours: median(ours), bareMs: median(bareMs), ratio };
      });
      return {
        tables: [
          {
            title: `Main-thread CPU of one answer, medians of ${rounds} rounds of ${counted}`,
            columns: [
              { title: 'transport' },
              { title: 'stubbed' },
              { title: 'service ms', digits: 3 },
              { title: 'bare ms', digits: 3 },
              { title: 'ratio', digits: 2 },
            ],
            rows: rows.map(({ name, transport, ours, bareMs, ratio }) => [
              transport,
              name,
              ours,
              bareMs,
              ratio,
            ]),
          },
        ],
        verdicts: rows.map(({ name, transport, ratio }) => ({
          what: `${transport} main-thread CPU, of the bare server's (stubbed: ${name})`,
          value: ratio,
          limit: 'at most' as const,
          bar: name === cacheHit ? 1.5 : 1.3,
        })),
        notes: [
          `The body is tall.webp (97 x 640, 7 kB), for the bare servers too. "${transportsAlone}": the service's transports, admission, pipeline, batcher, metrics and log; the decoder and the view pool answer at once, since a bare server does neither. "engine": they do their work on their threads, and the main thread's part of it, and of the garbage, is in the figure.`,
          "The stub engine answers in the next turn with one buffer, which the bare servers send too: bare node:http in one write, bare grpc-js as a message encoded beforehand. A stub needs no thread, so the message from the engine's thread is not in the figure.",
          '"a cache hit": the body is rocket.jpg (112 kB); the bare servers take its SHA-256 and send the same bytes.',
          `${clients} requests in flight, from another process. CPU is the thread's schedstat. Each window of ${counted} requests follows ${reconnecting} that are not counted, and the first one ${totalOf(settling.service.http)} (HTTP) and ${totalOf(settling.service.grpc)} (gRPC) to the service, ${totalOf(settling.bare.http)} and ${totalOf(settling.bare.grpc)} to the bare server.`,
        ],
      };
    } finally {
      await Promise.all([load.close(), ...servers.map((server) => server.close())]);
    }
  },
};

function roundLine(
  round: number,
  { transport, name }: Case,
  serviceMs: number | undefined,
  bareMs: number | undefined,
): string {
  const which = `${transport}, stubbed: ${name}`;
  if (serviceMs === undefined || bareMs === undefined) return `warmed up ${which}`;
  return `round ${round} of ${rounds}, ${which}: ${serviceMs.toFixed(3)} ms, bare ${bareMs.toFixed(3)} ms`;
}

async function targetOf(server: ListeningChild, transport: 'http' | 'grpc', cached?: true): Promise<Target> {
  const picture = cached === undefined ? 'tall.webp' : 'rocket.jpg';
  const file = await readFile(join(repository, 'test/fixtures/images', picture));
  const asked = cached === undefined ? {} : { cached };
  if (transport === 'http') {
    return { transport, url: `${server.url}/v1/encode?format=raw`, body: file, ...asked };
  }
  return { transport, address: server.grpcAddress, message: encodeRequestMessage(file), ...asked };
}
