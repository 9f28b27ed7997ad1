import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ServiceError } from '../../errors/service-error.ts';
import { manifestFile } from '../../model/manifest.ts';
import type { CheckpointSource } from '../../model/import/import-checkpoint.ts';
import type { CheckpointPart } from '../../model/import/needed-tensors.ts';
import { isRepositoryName, type RepositoryName } from '../../model/import/hub/repository-name.ts';

/** A checkpoint on this machine. */
export interface ImportSource {
  /** Its folder or file. */
  readonly source: string;
  /** Where it came from; undefined for one that was here already. */
  readonly origin?: { readonly source: RepositoryName; readonly revision: string };
}

/** fetchCheckpoint of model/import/hub, with the hub's access composed and `out` checked before the download. */
export type FetchCheckpoint = (
  repository: RepositoryName,
  options: {
    readonly revision: string;
    readonly part: CheckpointPart;
    readonly out: string;
    readonly force: boolean;
    readonly signal: AbortSignal;
    readonly onProgress: (doneBytes: number, totalBytes: number) => void;
    readonly onCached: (sentence: string) => void;
  },
) => Promise<{ readonly folder: string; readonly commit: string }>;

/**
 * Finds the folder or file `source`, or, where there is none, fetches the repository of that name. Rejects with
 * `invalid_argument` for a source that can be neither, for one that is no checkpoint, and for a revision of a folder;
 * else as `fetch` does.
 */
export async function findSource(
  source: string,
  revision: string | undefined,
  fetch: (repository: RepositoryName, revision: string) => ReturnType<FetchCheckpoint>,
): Promise<ImportSource> {
  if (await isThere(source)) {
    await refuseNoCheckpoint(source);
    if (revision === undefined) return { source };
    const message = `--revision is for a repository on the hub; ${source} is on this machine.`;
    throw new ServiceError('invalid_argument', message);
  }
  if (!isRepositoryName(source)) {
    const named = repositoryIn(source);
    const message =
      named === undefined
        ? `${source} does not exist here, and a repository on the hub is named OWNER/NAME.`
        : `${source} is a URL: write ${named} for that repository on the hub.`;
    throw new ServiceError('invalid_argument', message);
  }
  const { folder, commit } = await fetch(source, revision ?? 'main');
  return { source: folder, origin: { source, revision: commit } };
}

/** Finds the folder or file of a projector, or, where there is none, fetches the repository of that name. */
export async function findProjector(
  source: string,
  fetch: (repository: RepositoryName, revision: string) => ReturnType<FetchCheckpoint>,
): Promise<CheckpointSource> {
  if (await isThere(source)) {
    await refuseNoProjector(source);
    return { source };
  }
  const { source: folder, origin } = await findSource(source, undefined, fetch);
  return { source: folder, origin };
}

/** Refuses what people give instead of a checkpoint's folder: a file of it, or a model folder. */
async function refuseNoCheckpoint(source: string): Promise<void> {
  if (/\.(safetensors|bin|pt|pth|json)$/.test(source)) {
    const message = `${source} is one file of a checkpoint; give the folder that it lies in.`;
    throw new ServiceError('invalid_argument', message);
  }
  if (await isThere(join(source, manifestFile))) {
    const message = `${source} is a model folder already: serve --model ${source} serves it.`;
    throw new ServiceError('invalid_argument', message);
  }
}

/** Refuses a file that holds no weights, such as the projector's config.json. */
async function refuseNoProjector(source: string): Promise<void> {
  if (/\.(?:safetensors|bin|index\.json)$/.test(source) || (await stat(source)).isDirectory()) return;
  const message = `--projector takes a folder, a .safetensors file or a .bin file; ${source} is none of these.`;
  throw new ServiceError('invalid_argument', message);
}

/** The repository whose page a URL is of; undefined for anything else. */
function repositoryIn(source: string): RepositoryName | undefined {
  const [, name = ''] = /^https?:\/\/[^/]+\/([^/?#]+\/[^/?#]+)/.exec(source) ?? [];
  return isRepositoryName(name) && !/^(?:datasets|spaces)\//.test(name) ? name : undefined;
}

/** A path that exists, or that the import will say why it cannot read. */
async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    ({ code }: NodeJS.ErrnoException) => code !== 'ENOENT' && code !== 'ENOTDIR',
  );
}
