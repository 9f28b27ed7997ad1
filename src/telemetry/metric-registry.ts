import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

export interface DescribedMetric {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly help: string;
}

const prefix = 'siglip_hd_';

/**
 * The metrics of one service, with names that begin with `siglip_hd_`, and prom-client's standard metrics of Node and the
 * process.
 */
export class MetricRegistry {
  readonly #registry = new Registry();

  constructor() {
    collectDefaultMetrics({ register: this.#registry });
  }

  counter<Label extends string>(name: string, help: string, labels: readonly Label[]): Counter<Label> {
    return new Counter(this.#describe(name, help, labels));
  }

  histogram<Label extends string>(
    name: string,
    help: string,
    labels: readonly Label[],
    buckets: readonly number[],
  ): Histogram<Label> {
    return new Histogram({ ...this.#describe(name, help, labels), buckets: [...buckets] });
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
    return { contentType: this.#registry.contentType, text: await this.#registry.metrics() };
  }

  #describe<Label extends string>(name: string, help: string, labels: readonly Label[]) {
    return { name: `${prefix}${name}`, help, labelNames: [...labels], registers: [this.#registry] };
  }
}

/** prom-client's types leave them out. */
function labelsOf(metric: object): readonly string[] {
  return 'labelNames' in metric && Array.isArray(metric.labelNames) ? metric.labelNames.map(String) : [];
}
