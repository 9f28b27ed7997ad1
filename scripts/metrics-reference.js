// docs/metrics.md: its head, then a row for each metric as the code declares it.

export function metricsReference(head, metrics) {
  const rows = metrics.map(
    ({ name, type, labels, help }) =>
      `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
  );
  return `<!-- Made by \`npm run docs\` from docs/metrics.head.md and src/telemetry/metrics.ts. -->\n\n${head}\n${[
    '| metric | type | labels | |',
    '| --- | --- | --- | --- |',
    ...rows,
  ].join('\n')}\n`;
}
