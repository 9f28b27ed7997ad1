import { basename, resolve } from 'node:path';

/** A model folder to serve; without a name it is served under the folder's own. */
export interface ModelSource {
  readonly name?: string;
  readonly folder: string;
}

/** The name that a model is served under. */
export function servedName({ name, folder }: ModelSource): string {
  return name ?? basename(resolve(folder));
}
