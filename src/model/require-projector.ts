import { readModelFolder } from './load-folder.ts';
import type { ModelSource } from './model-source.ts';
import { defaultModelName } from './model.ts';
import { selectModel } from './select-model.ts';

/**
 * Rejects as selectModel does if the first of `models`, or without any the embedded default, cannot make embeddings. Reads
 * model.json alone.
 */
export async function requireProjector([first]: readonly ModelSource[]): Promise<void> {
  const model =
    first === undefined
      ? { name: defaultModelName, digest: '', features: 'last_hidden_state' as const }
      : await readModelFolder(first.folder, first.name);
  selectModel([{ model }], { output: 'embeddings' });
}
