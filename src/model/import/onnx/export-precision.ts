import type { ModelPrecision } from '../../model.ts';
import { storedType } from './element-types.ts';
import type { ExportedModel } from './read-export.ts';

/** What of the weights' bytes must have one type for it to be the model's. */
const share = 0.9;

/**
 * The precision that a graph's initialisers tell of, and safetensors' name of the type that most of them have. A
 * graph that quantises while it runs, or may in functions of its own, has its own precision, however few matrices
 * that is for: a scale may then be shared by a batch.
 */
export function exportPrecision({
  nodes,
  functions = [],
  initialisers,
}: {
  readonly nodes: readonly Pick<ExportedModel['nodes'][number], 'operator'>[];
  /** The model's own operators, whose nodes are not looked into. */
  readonly functions?: ExportedModel['functions'];
  readonly initialisers: readonly Pick<ExportedModel['initialisers'][number], 'type' | 'sizeBytes'>[];
}): {
  readonly precision: ModelPrecision;
  readonly storedDtype: string;
} {
  const bytesOf = new Map<string, number>();
  for (const { type, sizeBytes } of initialisers) {
    const dtype = storedType(type)?.name ?? '';
    bytesOf.set(dtype, (bytesOf.get(dtype) ?? 0) + sizeBytes);
  }
  const total = [...bytesOf.values()].reduce((sum, bytes) => sum + bytes, 0);
  const [most, bytes] = [...bytesOf].reduce((a, b) => (b[1] > a[1] ? b : a), ['F32', 0]);
  const isDynamic = nodes.some(({ operator }) => operator.startsWith('DynamicQuantize'));
  if (isDynamic || functions.length > 0 || bytes < share * total)
    return { precision: 'exported', storedDtype: most };
  return { precision: most === 'F32' ? 'fp32' : most === 'F16' ? 'fp16' : 'exported', storedDtype: most };
}
