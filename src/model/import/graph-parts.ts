/** What cutNodes needs of a node. */
export interface PartNode {
  readonly inputs: readonly string[];
  readonly output: string;
}

/** The nodes `from` to `to` (exclusive) of a graph. */
export interface GraphPart {
  readonly from: number;
  readonly to: number;
  /** The one tensor that they need from earlier nodes. */
  readonly input: string;
  /** The one tensor that later nodes need from them; undefined for the last part. */
  readonly output: string | undefined;
}

/**
 * Cuts nodes, in the order they run, wherever later nodes need a single tensor from earlier ones and the part has
 * `partBytes` of weights or more. `weights` has the size of every initialiser.
 */
export function cutNodes(
  nodes: readonly PartNode[],
  weights: ReadonlyMap<string, number>,
  partBytes: number,
): GraphPart[] {
  const lastUse = new Map<string, number>();
  for (const [index, { inputs }] of nodes.entries()) {
    for (const name of inputs) if (name !== '' && !weights.has(name)) lastUse.set(name, index);
  }
  const made = new Set(nodes.map(({ output }) => output));
  let input = [...lastUse.keys()].find((name) => !made.has(name)) ?? '';
  const live = new Set([input]);
  const parts: GraphPart[] = [];
  let from = 0;
  let bytes = 0;
  for (const [index, { inputs, output }] of nodes.entries()) {
    if (lastUse.has(output)) live.add(output);
    for (const name of inputs) {
      bytes += weights.get(name) ?? 0;
      if (lastUse.get(name) === index) live.delete(name);
    }
    const [only] = live;
    if (bytes < partBytes || live.size !== 1 || only === undefined || only === input) continue;
    parts.push({ from, to: index + 1, input, output: only });
    [from, bytes, input] = [index + 1, 0, only];
  }
  return [...parts, { from, to: nodes.length, input, output: undefined }];
}
