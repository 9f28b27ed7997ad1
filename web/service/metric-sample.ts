/** What the status corner reads of /metrics at one time. */
export interface MetricSample {
  readonly atMs: number;
  readonly isReady: boolean;
  /** When the process started, in Unix seconds. */
  readonly startedS: number;
  /** Views that all engines have run, and the batches that they ran in. */
  readonly views: number;
  readonly batches: number;
  /** Images that were answered, from a cache or not. */
  readonly images: number;
  /** Views that wait for an engine. */
  readonly queued: number;
  readonly engines: readonly EngineState[];
}

export interface EngineState {
  readonly model: string;
  /** Its device, such as `cpu` or `cuda:0`. */
  readonly engine: string;
  readonly isUp: boolean;
}

interface Series {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Reads Prometheus' text format. */
export function sampleOf(text: string, atMs: number): MetricSample {
  const all = text.split('\n').flatMap(seriesOf);
  const sum = (name: string, state?: string): number =>
    all
      .filter((one) => one.name === name && (state === undefined || one.labels['state'] === state))
      .reduce((total, { value }) => total + value, 0);
  return {
    atMs,
    isReady: sum('siglip_hd_ready') === 1,
    startedS: sum('process_start_time_seconds'),
    views: sum('siglip_hd_batch_views_sum'),
    batches: sum('siglip_hd_batch_views_count'),
    images: sum('siglip_hd_images_total'),
    queued: sum('siglip_hd_views', 'queued'),
    engines: all
      .filter(({ name }) => name === 'siglip_hd_engine_up')
      .map(({ labels, value }) => ({
        model: labels['model'] ?? '',
        engine: labels['engine'] ?? '',
        isUp: value === 1,
      })),
  };
}

function seriesOf(line: string): Series[] {
  const [, name, labels = '', value] =
    /^(siglip_hd_\w+|process_start_time_seconds)(?:\{(.*)\})? (\S+)/.exec(line) ?? [];
  if (name === undefined) return [];
  const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key = '', text = '']) => [
    key,
    unescaped(text),
  ]);
  return [{ name, labels: Object.fromEntries(pairs) as Record<string, string>, value: Number(value) }];
}

function unescaped(text: string): string {
  return text.replace(/\\(.)/g, (_, letter: string) => (letter === 'n' ? '\n' : letter));
}
