import type { ReceivedSpan } from './otlp-receiver.ts';

/**
 * A trace as text: each span indented below its parent, in the order of their starts, with start and length in ms.
 */
export function traceTree(spans: readonly ReceivedSpan[], root: ReceivedSpan): string {
  const lines: string[] = [];
  const add = (span: ReceivedSpan, depth: number): void => {
    const name = `${'  '.repeat(depth)}${span.name}`;
    const at = (span.startMs - root.startMs).toFixed(1).padStart(8);
    const length = (span.endMs - span.startMs).toFixed(1).padStart(8);
    lines.push(`${at}${length}  ${name}${span.links.length === 0 ? '' : ` (links: ${span.links.length})`}`);
    spans
      .filter(({ parentSpanId }) => parentSpanId === span.spanId)
      .toSorted((a, b) => a.startMs - b.startMs || b.endMs - a.endMs)
      .forEach((child) => add(child, depth + 1));
  };
  add(root, 0);
  return lines.join('\n');
}
