import type { ModelPrecision } from '../model.ts';
import { storedType } from './element-types.ts';
import type { StoredTensor } from './read-tensor.ts';

/** What of the weights' bytes must have one type for it to be the model's. */
const share = 0.9;

/** The precision that a graph's initialisers tell of, and safetensors' name of the type that most of them have. */
export function exportPrecision(tensors: readonly StoredTensor[]): {
  readonly precision: ModelPrecision;
  readonly storedDtype: string;
} {
  const bytesOf = new Map<string, number>();
  for (const { type, sizeBytes } of tensors) {
    const dtype = storedType(type)?.name ?? '';
    bytesOf.set(dtype, (bytesOf.get(dtype) ?? 0) + sizeBytes);
  }
  const total = [...bytesOf.values()].reduce((sum, bytes) => sum + bytes, 0);
  const [most, bytes] = [...bytesOf].reduce((a, b) => (b[1] > a[1] ? b : a), ['F32', 0]);
  if (bytes < share * total) return { precision: 'exported', storedDtype: most };
  return { precision: most === 'F32' ? 'fp32' : most === 'F16' ? 'fp16' : 'exported', storedDtype: most };
}
