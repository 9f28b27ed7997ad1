import { Metrics } from '../../src/telemetry/metrics.ts';

/** The series that a service exposes once it has served: the values of each label, by metric and label. */
export async function exposedMetrics(): Promise<
  ReadonlyMap<string, ReadonlyMap<string, ReadonlySet<string>>>
> {
  const metrics = new Metrics();
  for (const transport of ['http', 'grpc'] as const) {
    metrics.observeRequest({ transport, endpoint: 'encode', code: 'ok', durationMs: 1, caller: 'ada' });
    metrics.watchInflight(transport, () => 0);
  }
  metrics.observeStages({ decodeMs: 1, viewsMs: 1, queueMs: 1, engineMs: 1, assembleMs: 1 }, 'hd');
  metrics.observeWrite(1, 'hd');
  const model = { name: 'hd', digest: 'sha256:0', features: 'pre_norm', precision: 'fp16' };
  metrics.watchModels(() => [model]);
  metrics.observeBatch({ views: 1, engineMs: 1, gapMs: 1, model: 'hd', engine: 'cpu' });
  metrics.observeRestart('hd', 'cpu');
  for (const bound of ['views', 'request_bytes', 'unread_bytes', 'deadline'] as const) {
    metrics.observeRefusal(bound);
  }
  for (const what of ['requests', 'cache', 'unread'] as const) metrics.watchHeld(what, () => 0);
  metrics.watchEngines('hd', () => [{ name: 'cpu', state: 'up', times: [[1, 10]], largest: 1 }]);
  for (const source of ['hit', 'joined', 'miss'] as const) metrics.observeSource(source);
  const series = new Map<string, Map<string, Set<string>>>();
  for (const line of (await metrics.expose()).text.split('\n')) {
    const [, name, labels] = /^([a-z_0-9]+)(?:\{(.*)\})? /.exec(line) ?? [];
    if (name === undefined) continue;
    const known = series.get(name) ?? new Map<string, Set<string>>();
    series.set(name, known);
    for (const [, label, value] of (labels ?? '').matchAll(/(\w+)="([^"]*)"/g)) {
      known.set(label!, (known.get(label!) ?? new Set()).add(value!));
    }
  }
  return series;
}
