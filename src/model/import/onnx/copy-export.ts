import { createReadStream } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemReason } from '../../../errors/system-reason.ts';
import { exportGraphs, graphFile } from '../../graph-io.ts';
import { isInnerPath } from '../../inner-path.ts';
import { shortJson } from '../../json-object.ts';
import { type FileDigest, manifestFile } from '../../manifest.ts';
import type { WriteOptions } from '../weights-file.ts';
import { writeHashed } from '../write-hashed.ts';
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
  const copies: Record<string, FileDigest> = {};
  for (const [name, source] of sources) {
    const copy = join(folder, name);
    await mkdir(dirname(copy), { recursive: true });
    const startBytes = doneBytes;
    const onWritten = (sizeBytes: number) => onProgress?.(startBytes + sizeBytes, totalBytes);
    copies[name] = await writeHashed(copy, chunksOf(name, source), onWritten, signal);
    doneBytes += copies[name].sizeBytes;
  }
  return copies;
}

async function sizeOf(name: string, source: string): Promise<number> {
  const found = await stat(source).catch((error: unknown) => {
    throw unreadable(name, error);
  });
  if (!found.isFile()) throw new ExportProblem(`needs ${name} beside it, which is not a file`);
  return found.size;
}

/** Opens the file when the first chunk is read: a stream that fails before anybody reads it ends the process. */
async function* chunksOf(name: string, source: string): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    yield* createReadStream(source, { highWaterMark: chunkBytes }) as AsyncIterable<Uint8Array>;
  } catch (error) {
    throw unreadable(name, error);
  }
}

function unreadable(name: string, cause: unknown): ExportProblem {
  return new ExportProblem(`needs ${name} beside it, which cannot be read: ${systemReason(cause)}`, {
    cause,
  });
}
