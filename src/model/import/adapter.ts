import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { invalidArgument } from '../../errors/invalid-argument.ts';
import type { ServiceError } from '../../errors/service-error.ts';

/** PEFT's file beside the weights of an adapter. */
export const adapterFile = 'adapter_config.json';

/** Throws `invalid_argument` for a folder with an adapter: transformers applies it to the weights, and an import would not. */
export function requireNoAdapter(folder: string): void {
  if (existsSync(join(folder, adapterFile))) throw adapterRefusal(folder);
}

/** The refusal of a folder or repository with an adapter. */
export function adapterRefusal(place: string): ServiceError {
  return invalidArgument(
    `${place} has an adapter (${adapterFile}), which is not applied here. Merge it with PEFT's merge_and_unload() and ` +
      `import the saved model, or import the base model from a place without ${adapterFile}.`,
  );
}
