const width = 80;
const height = 16;

/** A small curve of the last minute's values, at 30 samples a minute; its label says the last and the highest. */
export function Sparkline({ values, label }: { values: readonly number[]; label: string }) {
  const most = Math.max(...values, 1e-9);
  const step = width / 30;
  const points = values.map((value, index) => {
    const x = width - (values.length - 1 - index) * step;
    return `${x.toFixed(1)},${(height - 1 - (value / most) * (height - 2)).toFixed(1)}`;
  });
  const described = `${label}: now ${(values.at(-1) ?? 0).toFixed(1)}, at most ${most.toFixed(1)}`;
  return (
    <svg
      class="sparkline"
      role="img"
      aria-label={described}
      width={width}
      height={height}
      viewBox={`0 0 ${width} ${height}`}
      preserveAspectRatio="none"
    >
      <polyline points={points.join(' ')} />
    </svg>
  );
}
