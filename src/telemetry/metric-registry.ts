import { collectDefaultMetrics, Counter, Gauge, Histogram, type LabelValues, Registry } from 'prom-client';

export interface DescribedMetric {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly help: string;
}

const prefix = 'siglip_hd_';

/** Most observations that wait to be recorded, so that recording them takes well under a millisecond. */
const mostWaiting = 256;

/**
 * The metrics of one service, with names that begin with `siglip_hd_`, and prom-client's standard metrics of Node and the
 * process.
 */
export class MetricRegistry {
  readonly #registry = new Registry();
  /** Observations are recorded many at a time: one alone finds cold caches and takes several times as long. */
  #waiting: (() => void)[] = [];

  constructor() {
    collectDefaultMetrics({ register: this.#registry });
  }

  counter<Label extends string>(name: string, help: string, labels: readonly Label[]) {
    const counter = new Counter(this.#describe(name, help, labels));
    return {
      inc: (series: LabelValues<Label>, by = 1): void => this.#record(() => counter.inc(series, by)),
    };
  }

  histogram<Label extends string>(
    name: string,
    help: string,
    labels: readonly Label[],
    buckets: readonly number[],
  ) {
    const histogram = new Histogram({ ...this.#describe(name, help, labels), buckets: [...buckets] });
    return {
      observe: (series: LabelValues<Label>, value: number): void =>
        this.#record(() => histogram.observe(series, value)),
    };
  }

  /** `read` sets the gauge at each scrape. A series that it does not set is no longer exposed. */
  gauge<Label extends string>(
    name: string,
    help: string,
    labels: readonly Label[],
    read: (gauge: Gauge<Label>) => void,
  ): void {
    const gauge: Gauge<Label> = new Gauge({
      ...this.#describe(name, help, labels),
      collect: () => {
        gauge.reset();
        read(gauge);
      },
    });
  }

  /** The service's own metrics. */
  describe(): readonly DescribedMetric[] {
    return this.#registry
      .getMetricsAsArray()
      .filter(({ name }) => name.startsWith(prefix))
      .map(({ name, help, type, ...rest }) => ({ name, help, type: String(type), labels: labelsOf(rest) }));
  }

  /** All metrics in Prometheus' text format, with its content type. */
  async expose(): Promise<{ readonly contentType: string; readonly text: string }> {
    this.#recordWaiting();
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }

  #record(observation: () => void): void {
    if (this.#waiting.push(observation) >= mostWaiting) this.#recordWaiting();
  }

  #recordWaiting(): void {
    const observations = this.#waiting;
    this.#waiting = [];
    for (const record of observations) record();
  }

  #describe<Label extends string>(name: string, help: string, labels: readonly Label[]) {
    return { name: `${prefix}${name}`, help, labelNames: [...labels], registers: [this.#registry] };
  }
}

/** prom-client's types leave them out. */
function labelsOf(metric: object): readonly string[] {
  return 'labelNames' in metric && Array.isArray(metric.labelNames) ? metric.labelNames.map(String) : [];
}
