import { Agent, get } from 'node:http';
import { Latencies, type LatencySummary } from '../report/latency.ts';

/** Asks for a URL at fixed times, whatever became of earlier requests. */
export interface Probe {
  /** Stops asking; latencies count from the time a request was due. */
  stop(): Promise<LatencySummary>;
}

export function startProbe(url: string, everyMs: number): Probe {
  const agent = new Agent({ keepAlive: true });
  const latencies = new Latencies();
  const underWay = new Set<Promise<void>>();
  let failure: Error | undefined;
  let dueMs = performance.now();
  let timer: NodeJS.Timeout;
  const send = (atMs: number): void => {
    const asked = ask(url, agent)
      .then(() => latencies.record(performance.now() - atMs))
      .catch((thrown: unknown) => {
        failure = thrown as Error;
      })
      .finally(() => underWay.delete(asked));
    underWay.add(asked);
  };
  const next = (): void => {
    for (; dueMs <= performance.now(); dueMs += everyMs) send(dueMs);
    timer = setTimeout(next, dueMs - performance.now());
  };
  next();
  return {
    async stop() {
      clearTimeout(timer);
      await Promise.all(underWay);
      agent.destroy();
      if (failure !== undefined) throw failure;
      return latencies.summary();
    },
  };
}

async function ask(url: string, agent: Agent): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    get(url, { agent }, (response) => {
      response.resume().once('end', () => {
        if (response.statusCode === 200) resolve();
        else reject(new Error(`${url} answered ${response.statusCode}`));
      });
    }).once('error', reject);
  });
}
