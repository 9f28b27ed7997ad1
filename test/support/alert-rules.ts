import { chart, render } from './helm.ts';

/** An alert of the chart, as Prometheus reads it. */
export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** The alerts of the chart with these arguments of helm, which must enable them. */
export async function alertRules(...args: string[]): Promise<readonly AlertRule[]> {
  const rule = (await render(...args)).find(({ kind }) => kind === 'PrometheusRule')!;
  const { groups } = rule['spec'] as { groups: { rules: AlertRule[] }[] };
  return groups.flatMap(({ rules }) => rules);
}

/** Values of a release, `tokens`, with every alert of engines in the pods themselves. */
export const alertValues = [
  '-f',
  `${chart}/ci/cpu-values.yaml`,
  '--set',
  'prometheusRule.enabled=true,serviceMonitor.enabled=true,fullnameOverride=tokens',
] as const;
