import { createReadStream } from 'node:fs';
import { mkdir, open, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ServiceError } from '../../../errors/service-error.ts';
import { systemReason } from '../../../errors/system-reason.ts';
import { exportGraphs, graphFile } from '../../graph-io.ts';
import { isInnerPath } from '../../inner-path.ts';
import { shortJson } from '../../json-object.ts';
import { type FileDigest, manifestFile } from '../../manifest.ts';
import { HashedFile } from '../hashed-file.ts';
import type { WriteOptions } from '../weights-file.ts';
import { ExportProblem } from './export-problem.ts';

const chunkBytes = 1 << 20;

/**
 * Copies the graph at `path` into `folder` as encoder.onnx, and the files of its weights under their own names, by
 * which the graph finds them. Rejects with an ExportProblem, and with `cancelled` when the signal fires.
 */
export async function copyExport(
  folder: string,
  path: string,
  weightsFiles: readonly string[],
  { onProgress, signal }: WriteOptions,
): Promise<Record<string, FileDigest>> {
  const sources = new Map([[graphFile as string, path]]);
  for (const name of weightsFiles.toSorted()) {
    if (!isInnerPath(name)) {
      throw new ExportProblem(`keeps weights in ${shortJson(name)}, which is not in its folder`);
    }
    if (name === manifestFile || exportGraphs.some((graph) => graph === name)) {
      throw new ExportProblem(`keeps weights in ${name}, a name that a model folder needs for another file`);
    }
    sources.set(name, join(dirname(path), name));
  }
  let totalBytes = 0;
  for (const [name, source] of sources) totalBytes += await sizeOf(name, source);
  let doneBytes = 0;
  const onChunk = (sizeBytes: number): void => onProgress?.((doneBytes += sizeBytes), totalBytes);
  const copies: Record<string, FileDigest> = {};
  for (const [name, source] of sources) {
    copies[name] = await copyFile(source, join(folder, name), onChunk, signal);
  }
  return copies;
}

async function sizeOf(name: string, source: string): Promise<number> {
  const found = await stat(source).catch((error: unknown) => {
    const message = `needs ${name} beside it, which cannot be read: ${systemReason(error)}`;
    throw new ExportProblem(message, { cause: error });
  });
  if (!found.isFile()) throw new ExportProblem(`needs ${name} beside it, which is not a file`);
  return found.size;
}

async function copyFile(
  from: string,
  to: string,
  onChunk: (sizeBytes: number) => void,
  signal: AbortSignal | undefined,
): Promise<FileDigest> {
  await mkdir(dirname(to), { recursive: true });
  const file = await open(to, 'wx');
  try {
    const output = new HashedFile(file);
    for await (const chunk of createReadStream(from, { highWaterMark: chunkBytes })) {
      if (signal?.aborted) throw new ServiceError('cancelled', 'The import was cancelled.');
      await output.append(chunk as Uint8Array);
      onChunk((chunk as Uint8Array).byteLength);
    }
    await file.sync();
    return { sizeBytes: output.sizeBytes, sha256: output.sha256() };
  } finally {
    await file.close();
  }
}
