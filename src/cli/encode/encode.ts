import type { Logger } from 'pino';
import type { EncodeSettings } from '../settings/encode.ts';
import { type FileFormat, fileExtensions, isArchive, tokenFormat } from '../settings/encode.ts';
import { ServiceError } from '../../errors/service-error.ts';
import type { EncodeAnswer, VisualEncoder } from '../../encoding/request.ts';
import type { AnswerMetadata } from '../../tokens/answer-metadata.ts';
import { openArchiveSink } from './archive-sink.ts';
import { describeFailure, type ExitCode } from '../exit-code.ts';
import { openFolderSink } from './folder-sink.ts';
import { openProgress } from '../progress.ts';
import { readInput } from '../input-files.ts';
import { interruptible, type Terminal } from '../terminal.ts';
import type { TokenSink } from './token-sink.ts';

/** The configuration of the pipeline: the settings, and limits for which this command has no setting. */
export interface EncoderSettings extends EncodeSettings {
  readonly maxQueuedViews: number;
  readonly maxAnswerBytes: number;
  readonly cacheBytes: number;
  readonly shareCache: boolean;
  readonly maxUnreadBytes: number;
  readonly requestTimeoutMs: number;
}

export interface EncodeParts {
  /** Rejects if the first model has no projector. Loads nothing. */
  readonly requireProjector: (models: EncodeSettings['models']) => Promise<void>;
  /** Opens the pipeline in this process, without transports. */
  readonly createEncoder: (
    settings: EncoderSettings,
    logger: Logger,
  ) => Promise<{ readonly encoder: Pick<VisualEncoder, 'encode'>; close(): Promise<void> }>;
  /** The buffers of a token file, in order. */
  readonly fileOf: (format: FileFormat, answer: EncodeAnswer) => Iterable<Uint8Array>;
  readonly metadataJson: (metadata: AnswerMetadata) => string;
  readonly logger: Logger;
}

/** Files encoded at one time: twice the largest batch that is learned. */
const filesAtOnce = 64;
const recipe = { recipe: 'encode' } as const;
/** The longest time of a timer: no other caller waits behind these requests. */
const noTimeoutMs = 2 ** 31 - 1;

/**
 * Encodes files, writes their tokens, and reports the count on stdout. Resolves with 1 if a file failed; it is reported on
 * stderr and the others are still encoded. Rejects if nothing can be encoded or written, or on interruption.
 */
export async function encodeFiles(
  files: readonly string[],
  settings: EncodeSettings,
  terminal: Terminal,
  parts: EncodeParts,
): Promise<ExitCode> {
  if (settings.embeddings) await parts.requireProjector(settings.models);
  const sink = await openSink(files, settings, parts);
  const startMs = terminal.now();
  let done = 0;
  try {
    done = await interruptible(terminal, async (signal) => {
      const opened = await parts.createEncoder(
        {
          ...settings,
          models: settings.models.slice(0, 1),
          maxQueuedViews: filesAtOnce,
          maxAnswerBytes: Number.POSITIVE_INFINITY,
          cacheBytes: 0,
          shareCache: false,
          maxUnreadBytes: Number.POSITIVE_INFINITY,
          requestTimeoutMs: noTimeoutMs,
        },
        parts.logger,
      );
      try {
        return await encodeAll(files, opened.encoder, sink, settings, terminal, signal);
      } finally {
        await opened.close();
      }
    });
    if (done > 0) await sink.finish();
  } catch (error) {
    await sink.abandon();
    throw error;
  }
  if (done === 0) await sink.abandon();
  const seconds = (terminal.now() - startMs) / 1000;
  terminal.stdout.write(`${settings.out}: ${done} of ${files.length} files, ${seconds.toFixed(1)} s\n`);
  return done === files.length ? 0 : 1;
}

async function openSink(
  files: readonly string[],
  settings: EncodeSettings,
  { fileOf, metadataJson }: EncodeParts,
): Promise<TokenSink> {
  if (isArchive(settings.out)) return await openArchiveSink(settings.out, files, metadataJson);
  const format = tokenFormat(settings);
  return await openFolderSink(settings.out, fileExtensions[format], files, (answer) =>
    fileOf(format, answer),
  );
}

/** Encodes and writes the files; resolves with how many succeeded. */
async function encodeAll(
  files: readonly string[],
  encoder: Pick<VisualEncoder, 'encode'>,
  sink: TokenSink,
  { embeddings, dtype, exif }: EncodeSettings,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<number> {
  const output = embeddings ? 'embeddings' : 'features';
  const progress = openProgress(terminal.stderr, 'encoding [{bar}] {value} of {total}, {eta_formatted} left');
  const waiting = files.values();
  const failures: string[] = [];
  let done = 0;
  const lane = async () => {
    for (const file of waiting) {
      signal.throwIfAborted();
      try {
        const images = [{ kind: 'file', bytes: await readInput(file) }] as const;
        const answer = await encoder.encode({
          images,
          stacked: false,
          recipe,
          options: { output, dtype, exif },
          signal,
        });
        await sink.put(file, answer);
        done += 1;
      } catch (error) {
        signal.throwIfAborted();
        failures.push(`${file}: ${describeFailure(error).text}`);
      }
      progress.update(done + failures.length, files.length);
    }
  };
  try {
    progress.update(0, files.length);
    await Promise.all(Array.from({ length: Math.min(filesAtOnce, files.length) }, lane));
  } catch (error) {
    throw signal.aborted ? new ServiceError('cancelled', 'Interrupted.', { cause: error }) : error;
  } finally {
    progress.close();
    for (const failure of failures) terminal.stderr.write(`siglip-hd: ${failure}\n`);
  }
  return done;
}
