import { join } from 'node:path';
import { layoutOf, layouts, type WritingSettings } from '../settings/encode.ts';
import type { RecipeRequest } from '../settings/recipe-flags.ts';
import { openArchiveSink } from './archive-sink.ts';
import { FileMap } from '../inputs/file-map.ts';
import { folderSink, isWhole } from './folder-sink.ts';
import type { ImageEncoder } from './image-encoder.ts';
import { lockFolder, lockName } from './folder-lock.ts';
import { type EncodedLine, type FailedLine, Manifest, manifestName, type Provenance } from './manifest.ts';
import { OutputNames } from './output-names.ts';
import { ShardSink } from './shard-sink.ts';
import type { TokenSink } from './token-sink.ts';

/** Where tokens go, and what an earlier run has left there. */
export interface Output {
  readonly sink: TokenSink;
  readonly record: (line: EncodedLine | FailedLine) => Promise<void>;
  readonly names: OutputNames;
  /** The size of each file that an earlier run has encoded. */
  readonly done: Pick<FileMap<number>, 'get'>;
  /** Fires, with the error to report, when another process has taken over the folder. */
  readonly lost: AbortSignal;
  close(): Promise<void>;
}

/**
 * Opens what the settings name, for images of these files. Rejects with `failed_precondition` if it has other tokens, or if
 * another process writes to it.
 */
export async function openOutput(
  files: readonly string[],
  settings: WritingSettings,
  { recipe: { recipe }, query }: RecipeRequest,
  { provenance }: Pick<ImageEncoder, 'provenance'>,
): Promise<Output> {
  const { out, dtype } = settings;
  const format = layoutOf(settings);
  if (format !== 'archive') {
    return await openFolder(settings, { ...provenance, recipe, options: query, format });
  }
  return {
    sink: await openArchiveSink(out, files, dtype),
    names: new OutputNames({ extensions: [layouts.archive.extension] }),
    done: new FileMap(),
    record: async () => undefined,
    lost: new AbortController().signal,
    close: async () => undefined,
  };
}

async function openFolder(settings: WritingSettings, provenance: Provenance): Promise<Output> {
  const { out, shardBytes } = settings;
  const isSharded = provenance.format === 'webdataset';
  const { extension } = layouts[layoutOf(settings)];
  const names = isSharded
    ? new OutputNames({ extensions: [extension, '.json'], dotless: true })
    : new OutputNames({ extensions: [extension], files: [manifestName, lockName] });
  const done = new FileMap<number>();
  const lock = await lockFolder(out);
  try {
    const shards = isSharded ? await ShardSink.open(out, shardBytes, lock.requireHeld) : undefined;
    const manifest = await Manifest.open(
      join(out, manifestName),
      provenance,
      lock.requireHeld,
      async (line) => {
        if (!(shards?.holds(line) ?? (await isWhole(out, line)))) return false;
        await done.set(line.file, line.size);
        names.reserve(nameOf(line));
        return true;
      },
    );
    await shards?.recover().catch(async (error: unknown) => {
      await shards.abandon();
      await manifest.close();
      throw error;
    });
    return {
      sink: shards ?? folderSink(out, extension, lock.requireHeld),
      names,
      done,
      record: async (line) => manifest.add(line),
      lost: lock.lost,
      async close() {
        await manifest.close();
        await lock.unlock();
      },
    };
  } catch (error) {
    await lock.unlock();
    throw error;
  }
}

/** The name of an output without its extension. */
function nameOf({ output, key }: EncodedLine): string {
  return key ?? output.slice(0, output.lastIndexOf('.'));
}
