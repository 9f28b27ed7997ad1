import { basename, resolve } from 'node:path';

/** A model folder to serve, under `name` or else under the folder's name. */
export interface ModelSource {
  readonly name?: string;
  readonly folder: string;
}

/** The name under which a model is served. */
export function servedName({ name, folder }: ModelSource): string {
  return name ?? basename(resolve(folder));
}
