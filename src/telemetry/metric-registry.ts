import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

export interface DescribedMetric {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
  readonly help: string;
}

const prefix = 'siglip_hd_';

/**
 * Metrics of one service, whose names begin with `siglip_hd_`, beside those of Node and of the process, which have
 * prom-client's standard names.
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

  /** `read` sets the gauge at each scrape; what it does not set again is gone. */
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
