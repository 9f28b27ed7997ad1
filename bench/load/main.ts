// The process that asks: apart from what is measured, so that neither takes the other's thread.
import { setTimeout as delay } from 'node:timers/promises';
import { answerTasks } from '../processes/children.ts';
import type { LatencySummary } from '../report/latency.ts';
import { closedLoop, type ClosedLoopResult, type Until } from './closed-loop.ts';
import { grpcClient } from './grpc-client.ts';
import { httpClient } from './http-client.ts';
import { startProbe } from './probe.ts';
import type { Client, Target } from './target.ts';

/** What the load process can be asked to do. */
export type LoadTask =
  | {
      readonly kind: 'closed-loop';
      readonly target: Target;
      readonly clients: number;
      readonly until: Until;
      /** Asked at 50 a second meanwhile. */
      readonly probeUrl?: string;
    }
  | {
      readonly kind: 'one-by-one';
      readonly target: Target;
      readonly requests: number;
      readonly pauseMs: number;
    };

/** A request alone on the service: from asking to the whole answer, and the server's own stages. */
export interface SingleRequest {
  readonly wallMs: number;
  readonly stagesMs: Readonly<Record<string, number>>;
}

export type LoadResult =
  | { readonly kind: 'closed-loop'; readonly load: ClosedLoopResult; readonly probe?: LatencySummary }
  | { readonly kind: 'one-by-one'; readonly each: readonly SingleRequest[] };

const probeEveryMs = 20;

function connect(target: Target, clients: number): Client {
  return target.transport === 'http' ? httpClient(target, clients) : grpcClient(target);
}

async function oneByOne(client: Client, requests: number, pauseMs: number): Promise<SingleRequest[]> {
  const each: SingleRequest[] = [];
  for (let request = 0; request < requests; request++) {
    await delay(pauseMs);
    const startMs = performance.now();
    const answer = await client.ask();
    const wallMs = performance.now() - startMs;
    each.push({ wallMs, stagesMs: answer.stagesMs() });
  }
  return each;
}

async function work(task: LoadTask): Promise<LoadResult> {
  const client = connect(task.target, task.kind === 'closed-loop' ? task.clients : 1);
  try {
    if (task.kind === 'one-by-one') {
      await client.ask();
      return { kind: 'one-by-one', each: await oneByOne(client, task.requests, task.pauseMs) };
    }
    const probe = task.probeUrl === undefined ? undefined : startProbe(task.probeUrl, probeEveryMs);
    const load = await closedLoop(client, task.clients, task.until);
    return { kind: 'closed-loop', load, ...(probe === undefined ? {} : { probe: await probe.stop() }) };
  } finally {
    client.close();
  }
}

answerTasks(work);
