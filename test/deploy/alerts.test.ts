// The chart's alerts in promtool's rule tests, over an hour of what the service exposes.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after } from 'node:test';
import { Metrics, type ObservedEngine } from '../../src/telemetry/metrics.ts';
import { type AlertRule, alertRules, alertValues } from '../support/alert-rules.ts';
import { externalTest, runProgram } from '../support/external.ts';
import { chart, missingHelm } from '../support/helm.ts';
import { scratchFolder } from '../support/tiny-models.ts';

const scratch = scratchFolder();
after(() => scratch.remove());

const missing = async () => {
  const { exitCode } = await runProgram('promtool', ['--version']);
  return exitCode === 0 ? await missingHelm() : 'promtool is not installed; it comes with Prometheus';
};

const scaled = [...alertValues, '-f', `${chart}/ci/remote-values.yaml`];
const release = { namespace: 'vision', job: 'tokens' };
const minutes = 60;

type Labels = Readonly<Record<string, string>>;

interface Pod {
  readonly metrics: Metrics;
  isScraped: boolean;
  isReady: boolean;
  engines: readonly Pick<ObservedEngine, 'name' | 'state'>[];
  restarts: number;
  eventLoopSeconds: number;
}

function createPod(engines: readonly string[]): Pod {
  const pod: Pod = {
    metrics: new Metrics(),
    isScraped: true,
    isReady: true,
    engines: engines.map((name) => ({ name, state: 'up' })),
    restarts: 0,
    eventLoopSeconds: 0.02,
  };
  pod.metrics.watchReady(() => pod.isReady);
  pod.metrics.watchEngines('hd', () =>
    pod.engines.map((each) => ({ ...each, times: [[1, 10]], largest: 8 })),
  );
  return pod;
}

/** Answers requests that wait that long for the engine. */
function answer({ metrics }: Pod, requests: number, queueMs = 20): void {
  for (let request = 0; request < requests; request++) {
    metrics.observeRequest({ transport: 'http', endpoint: 'encode', code: 'ok', durationMs: 80 });
    metrics.observeStages({ decodeMs: 5, viewsMs: 5, queueMs, engineMs: 50, assembleMs: 1 }, 'hd');
  }
}

function fail({ metrics }: Pod, requests: number, code: 'internal' | 'unavailable' | 'overloaded'): void {
  for (let request = 0; request < requests; request++)
    metrics.observeRequest({ transport: 'grpc', endpoint: 'encode', code, durationMs: 80 });
}

interface Cause {
  readonly cause: string;
  /** Makes the cause, in an hour in which each pod also answers 600 requests. */
  readonly make: (pods: readonly [Pod, Pod]) => void;
  /** The alerts that fire, with the labels that each has beside those of every alert; all others must not. */
  readonly fires: Readonly<Record<string, readonly Labels[]>>;
}

const causes: readonly Cause[] = [
  { cause: 'nothing happens', make: () => {}, fires: {} },
  {
    cause: 'no pod can be scraped',
    make: (pods) => pods.forEach((pod) => (pod.isScraped = false)),
    fires: { SiglipHdDown: [{}], SiglipHdPodNotReady: [{ pod: 'a' }, { pod: 'b' }] },
  },
  {
    cause: 'no pod is ready',
    make: (pods) => pods.forEach((pod) => (pod.isReady = false)),
    fires: { SiglipHdDown: [{}], SiglipHdPodNotReady: [{ pod: 'a' }, { pod: 'b' }] },
  },
  {
    cause: 'one pod is not ready',
    make: ([pod]) => (pod.isReady = false),
    fires: { SiglipHdPodNotReady: [{ pod: 'a' }] },
  },
  {
    cause: 'one image in five waits for three seconds',
    make: ([pod]) => answer(pod, 300, 3000),
    fires: { SiglipHdQueueSlow: [{}] },
  },
  { cause: 'one image in twenty waits for three seconds', make: ([pod]) => answer(pod, 60, 3000), fires: {} },
  {
    cause: 'two requests in a hundred fail',
    make: ([pod, other]) => {
      fail(pod, 14, 'internal');
      fail(other, 14, 'unavailable');
    },
    fires: { SiglipHdErrors: [{}] },
  },
  {
    cause: 'one request in ten is refused',
    make: ([pod]) => fail(pod, 130, 'overloaded'),
    fires: { SiglipHdRefusals: [{}] },
  },
  {
    cause: 'a pod restarts every three minutes',
    make: ([, pod]) => (pod.restarts = 19),
    fires: { SiglipHdRestarts: [{ pod: 'b' }] },
  },
  { cause: 'a pod restarts twice', make: ([, pod]) => (pod.restarts = 2), fires: {} },
  {
    cause: 'an engine is replaced every four minutes',
    make: ([{ metrics }]) => Array.from({ length: 15 }, () => metrics.observeRestart('hd', 'cpu#1')),
    fires: { SiglipHdEngineRestarts: [{ model: 'hd' }] },
  },
  {
    cause: 'an engine is down',
    make: ([pod]) => {
      pod.engines = [
        { name: 'cpu#0', state: 'up' },
        { name: 'cpu#1', state: 'ended' },
      ];
    },
    fires: { SiglipHdEngineDown: [{ pod: 'a', model: 'hd', engine: 'cpu#1' }] },
  },
  {
    cause: 'the event loop is late',
    make: ([pod]) => (pod.eventLoopSeconds = 0.5),
    fires: { SiglipHdEventLoopLate: [{ pod: 'a' }] },
  },
];

const triton = (ordinal: number) => `grpc://tokens-engine-${ordinal}.tokens-engine.vision.svc:8001`;

/** The four engines of a pod of which these are down. */
const withDown = (...down: readonly number[]): Pod['engines'] =>
  [0, 1, 2, 3].map((ordinal) => ({ name: triton(ordinal), state: down.includes(ordinal) ? 'down' : 'up' }));

const scaledCauses: readonly Cause[] = [
  {
    cause: 'KEDA has scaled Triton to its fewest pods',
    make: (pods) => pods.forEach((pod) => (pod.engines = withDown(1, 2, 3))),
    fires: {},
  },
  {
    cause: 'the pod of Triton that must always be there is down',
    make: (pods) => pods.forEach((pod) => (pod.engines = withDown(0, 3))),
    fires: {
      SiglipHdEngineDown: ['a', 'b'].map((pod) => ({ pod, model: 'hd', engine: triton(0) })),
    },
  },
  {
    cause: 'one pod cannot use a pod of Triton that another uses',
    make: ([pod, other]) => {
      pod.engines = withDown(2, 3);
      other.engines = withDown(3);
    },
    fires: { SiglipHdEngineDown: [{ pod: 'a', model: 'hd', engine: triton(2) }] },
  },
];

/** The series that the alerts may ask for, by name and labels. */
async function seriesOf({ metrics }: Pod): Promise<ReadonlyMap<string, number>> {
  const lines = (await metrics.expose()).text.split('\n');
  const wanted = /^((?:siglip_hd_|process_start_time|nodejs_eventloop_lag_p99)\S*(?:\{.*\})?) (\S+)$/;
  return new Map(
    lines.flatMap((line) => {
      const [, series, value] = wanted.exec(line) ?? [];
      return series === undefined ? [] : [[series, Number(value)] as const];
    }),
  );
}

interface InputSeries {
  readonly series: string;
  readonly values: string;
}

/** The values of a series in the hour, by the minute, in promtool's notation. */
function valuesOf(name: string, pod: Pod, from: number, to: number): string {
  if (name.startsWith('nodejs_eventloop_lag_p99_seconds')) return `${pod.eventLoopSeconds}+0x${minutes}`;
  if (name.startsWith('process_start_time_seconds')) {
    const every = Math.floor(minutes / (pod.restarts + 1));
    const starts = Array.from({ length: minutes + 1 }, (_, minute) =>
      Math.min(Math.floor(minute / every), pod.restarts),
    );
    return starts.map((start) => 1_000_000 + 60 * every * start).join(' ');
  }
  return `${from}+${((to - from) / minutes).toFixed(9)}x${minutes}`;
}

/** What Prometheus scrapes of two pods in an hour with that cause. */
async function scrape({ make }: Cause, engines: readonly string[]): Promise<readonly InputSeries[]> {
  const pods = [createPod(engines), createPod(engines)] as const;
  // Counters that begin in the hour would begin with an unseen jump.
  for (const pod of pods) {
    answer(pod, 1);
    for (const code of ['internal', 'unavailable', 'overloaded'] as const) fail(pod, 1, code);
  }
  const before = await Promise.all(pods.map(seriesOf));
  for (const pod of pods) answer(pod, 600);
  make(pods);
  const names = ['a', 'b'];
  const scraped = pods.map(async (pod, index) => {
    const labels = Object.entries({ ...release, pod: names[index]! }).map(
      ([name, value]) => `${name}="${value}"`,
    );
    const up = { series: `up{${labels.join()}}`, values: `${pod.isScraped ? 1 : 0}+0x${minutes}` };
    if (!pod.isScraped) return [up];
    const series = [...(await seriesOf(pod))].map(([key, to]) => {
      const [, name, own] = /^(\w+)(?:\{(.*)\})?$/.exec(key)!;
      const from = name!.endsWith('_up') || name!.endsWith('_ready') ? to : (before[index]!.get(key) ?? to);
      const all = own === undefined ? labels : [own, ...labels];
      return { series: `${name}{${all.join()}}`, values: valuesOf(name!, pod, from, to) };
    });
    series.push(up);
    return series;
  });
  return (await Promise.all(scraped)).flat();
}

/** What promtool must find: at the end of the hour, or in every minute of an hour in which no alert fires. */
function expectations(rules: readonly AlertRule[], { fires }: Cause): readonly object[] {
  const times =
    Object.keys(fires).length === 0 ? Array.from({ length: minutes + 1 }, (_, minute) => minute) : [minutes];
  return times.flatMap((minute) =>
    rules.map(({ alert, labels, annotations }) => ({
      eval_time: `${minute}m`,
      alertname: alert,
      exp_alerts: (fires[alert] ?? []).map((own) => ({
        exp_labels: { ...labels, ...own },
        exp_annotations: annotations,
      })),
    })),
  );
}

async function check(cause: Cause, args: readonly string[], engines: readonly string[]): Promise<void> {
  const rules = await alertRules(...args);
  const names = new Set(rules.map(({ alert }) => alert));
  for (const alert of Object.keys(cause.fires)) assert.ok(names.has(alert), alert);
  const groups = [{ name: 'siglip-hd', rules }];
  // promtool reads YAML, of which JSON is a part.
  writeFileSync(join(scratch.path, 'rules.json'), JSON.stringify({ groups }));
  const test = {
    interval: '1m',
    input_series: await scrape(cause, engines),
    alert_rule_test: expectations(rules, cause),
  };
  const file = join(scratch.path, 'test.json');
  const whole = { rule_files: ['rules.json'], evaluation_interval: '1m', tests: [test] };
  writeFileSync(file, JSON.stringify(whole));
  const { exitCode, stdout, stderr } = await runProgram('promtool', ['test', 'rules', file]);
  assert.equal(exitCode, 0, `${stdout}${stderr}`);
}

function titleOf({ cause, fires }: Cause): string {
  const names = Object.keys(fires);
  if (names.length === 0) return `if ${cause}, no alert fires`;
  return `if ${cause}, ${names.join(' and ')} ${names.length === 1 ? 'fires' : 'fire'}, and no other`;
}

for (const cause of causes)
  externalTest(titleOf(cause), missing, async () => await check(cause, alertValues, ['cpu#0', 'cpu#1']));

for (const cause of scaledCauses) {
  externalTest(titleOf(cause), missing, async () => await check(cause, scaled, [0, 1, 2, 3].map(triton)));
}

externalTest('every alert of the chart has a cause that makes it fire', missing, async () => {
  const fired = new Set(causes.flatMap(({ fires }) => Object.keys(fires)));
  const rules = await alertRules(...alertValues);
  assert.deepEqual([...fired].toSorted(), rules.map(({ alert }) => alert).toSorted());
});
