import { once } from 'node:events';
import { answersIn } from '../answers-in-log.ts';
import { Balancer, type Backend, type Balanced } from '../balancer.ts';
import { grpcCaller } from '../grpc-caller.ts';
import { httpCaller } from '../http-caller.ts';
import { startStub, type StubOptions, type StubProcess } from '../stub-process.ts';
import { type Row, type RowOptions, stubText, type Transport } from './row.ts';

const usualRequests = 5000;
const drains = 3;
const clients = 32;
/** Long enough for the balancer to have looked, as a load balancer's own time would be. */
const drainDelayMs = 1000;

interface Drained extends Balanced {
  readonly transport: Transport;
  readonly exitCodes: readonly (number | null)[];
  /** Requests that the services answered, by their own logs. */
  readonly servedByLog: number;
}

/** Requests behind a balancer while the services behind it are stopped and started one after the other. */
export const drainsRow: Row = {
  title: `Drains: ${usualRequests} requests across ${drains} drains and restarts of two services`,
  async run(options, progress) {
    const found: Drained[] = [];
    for (const transport of options.transports) found.push(await drained(options, transport, progress));
    const lost = ({ codes }: Drained) =>
      Object.entries(codes).reduce((sum, [code, count]) => sum + (code === 'ok' ? 0 : count), 0);
    const twice = ({ servedByLog, codes }: Drained) => servedByLog - (codes['ok'] ?? 0);
    return {
      tables: [
        {
          title: `Two services, each on a stub of ${stubText(options.stub)}; ${clients} clients`,
          columns: [
            { title: 'transport' },
            { title: 'answered' },
            { title: 'lost' },
            { title: 'answered twice' },
            { title: 'refused and sent again' },
            { title: 'exit codes' },
          ],
          rows: found.map((each) => [
            each.transport,
            each.codes['ok'] ?? 0,
            lost(each),
            twice(each),
            each.retried,
            each.exitCodes.join(', '),
          ]),
        },
      ],
      verdicts: found.flatMap((each) => [
        { what: `${each.transport} requests lost`, value: lost(each), limit: 'at most', bar: 0 } as const,
        { what: `${each.transport} answered twice`, value: twice(each), limit: 'at most', bar: 0 } as const,
      ]),
      notes: [
        `The balancer looks at /readyz every 100 ms and sends again only what was refused: unavailable, overloaded, or a connection that was not accepted. "answered twice" is what the services' logs have answered beyond what the clients got. --drain-delay-ms ${drainDelayMs}.`,
      ],
      data: found,
    };
  },
};

async function drained(
  { stub, seconds, image }: RowOptions,
  transport: Transport,
  progress: (line: string) => void,
): Promise<Drained> {
  const balancer = new Balancer();
  const over = new AbortController();
  const start = async (): Promise<{ service: StubProcess; backend: Backend }> => {
    const service = await startStub(drainable(stub));
    const options = { image, dtype: 'float16', headers: {} } as const;
    const caller =
      transport === 'http' ? httpCaller(service.url, options) : grpcCaller(service.grpcAddress, options);
    return { service, backend: balancer.add(`${service.url}/readyz`, caller) };
  };
  const running = [await start(), await start()];
  const following = balancer.follow(over.signal);
  const startMs = performance.now();
  let drainsDone = 0;
  const isOver = () => {
    const isEnough =
      seconds === undefined
        ? balancer.settled >= usualRequests
        : performance.now() - startMs > seconds * 1000;
    return isEnough && drainsDone >= drains;
  };
  const exitCodes: (number | null)[] = [];
  let servedByLog = 0;
  const end = async (
    { service, backend }: { service: StubProcess; backend: Backend },
    signal: 'SIGTERM' | 'SIGINT',
  ) => {
    const exited = once(service.process, 'exit');
    service.process.kill(signal);
    const [exitCode] = (await exited) as [number | null];
    servedByLog += await answersIn(service.logFile);
    balancer.remove(backend);
    await service.close();
    return exitCode;
  };
  try {
    const balanced = balancer.run(clients, isOver);
    for (; drainsDone < drains; drainsDone++) {
      const exitCode = await end(running.shift()!, 'SIGTERM');
      exitCodes.push(exitCode);
      running.push(await start());
      progress(`${transport}: drain ${drainsDone + 1} of ${drains}, exit code ${exitCode}`);
    }
    const result = await balanced;
    for (const each of running.splice(0)) await end(each, 'SIGINT');
    return { transport, ...result, exitCodes, servedByLog };
  } finally {
    over.abort();
    await following;
    for (const { service } of running) await service.close();
  }
}

function drainable(stub: StubOptions): StubOptions {
  return { ...stub, logLevel: 'info', flags: [...(stub.flags ?? []), `--drain-delay-ms=${drainDelayMs}`] };
}
