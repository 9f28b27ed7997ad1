import { setMaxListeners } from 'node:events';
import { type ErrorCode, ServiceError } from '../../errors/service-error.ts';
import { sha256 } from '../../encoding/cache/sha256.ts';
import { describeFailure } from '../exit-code.ts';
import type { Counts } from './encode-progress.ts';
import type { ImageEncoder } from './image-encoder.ts';
import type { EncodedLine, FailedLine } from './manifest.ts';
import type { TokenSink } from './token-sink.ts';
import type { Work, WorkItem } from './work.ts';

export interface EncodeAllParts {
  readonly encoder: ImageEncoder;
  readonly sink: TokenSink;
  /** Adds a line to the manifest; absent where there is none. */
  readonly record: (line: EncodedLine | FailedLine) => Promise<void>;
  readonly onFailure: (file: string, text: string) => void;
  readonly onProgress: (counts: Counts) => void;
}

/** Failures that every other image would have as well. */
const fatalCodes = new Set<ErrorCode>([
  'unauthenticated',
  'not_found',
  'not_acceptable',
  'failed_precondition',
  'unavailable',
]);
const fatalSystemCodes = new Set(['ENOSPC', 'EDQUOT', 'EROFS', 'EIO', 'EMFILE', 'ENFILE']);

/**
 * Encodes images and writes their tokens, several at one time. A failure is reported and the others go on, unless it is one
 * that all would have: then, or when the signal fires, it rejects once all that is under way has ended.
 */
export async function encodeAll(
  work: AsyncGenerator<Work, void, void>,
  parts: EncodeAllParts,
  signal: AbortSignal,
): Promise<Counts> {
  const { encoder, record, onFailure, onProgress } = parts;
  const stopping = new AbortController();
  const stopped = AbortSignal.any([signal, stopping.signal]);
  // It has a listener for each request under way, which Node would report as a leak.
  setMaxListeners(0, stopped);
  const counts = { encoded: 0, failed: 0, there: 0 };
  const fail = async (file: string, thrown: unknown) => {
    counts.failed += 1;
    const { text } = describeFailure(thrown);
    onFailure(file, text);
    const code = thrown instanceof ServiceError ? thrown.code : 'internal';
    await record({ file, error: { code, detail: text } });
  };
  const handle = async (each: Work) => {
    if (each.kind === 'done') counts.there += 1;
    else if (each.kind === 'failed') {
      if (isSystemFatal(each.error.cause))
        throw each.error.withMessage(`${each.file}: ${each.error.message}`);
      await fail(each.file, each.error);
    } else {
      const failure = await encodeOne(each, parts, stopped).catch((thrown: unknown) => ({ thrown }) as const);
      if (failure === undefined) counts.encoded += 1;
      else if (stopped.aborted || isFatal(failure.thrown)) throw failure.thrown;
      else await fail(each.file, failure.thrown);
    }
    onProgress(counts);
  };
  const lane = async () => {
    for await (const each of withoutReturn(work)) {
      if (stopped.aborted) return;
      await handle(each);
    }
  };
  const lanes = Array.from({ length: encoder.imagesAtOnce }, async () =>
    lane().catch((thrown: unknown) => stopping.abort(thrown)),
  );
  await Promise.all(lanes);
  await work.return();
  signal.throwIfAborted();
  stopping.signal.throwIfAborted();
  return counts;
}

/** Resolves with nothing when the image is encoded and recorded. */
async function encodeOne(
  { file, name, ...item }: WorkItem,
  { encoder, sink, record }: EncodeAllParts,
  signal: AbortSignal,
): Promise<undefined> {
  const bytes = await item.read().catch((error: ServiceError) => {
    throw isSystemFatal(error.cause) ? error.withMessage(`${file}: ${error.message}`) : error;
  });
  const size = bytes.byteLength;
  // Before the encoder transfers the bytes.
  const digest = await sha256(bytes);
  const encoded = await encoder.encode(bytes, signal);
  try {
    const { shape } = encoded;
    await sink.put({ file, name }, encoded, async (written) =>
      record({ file, size, sha256: digest, ...written, shape }),
    );
  } finally {
    encoded.done();
  }
}

function isFatal(thrown: unknown): boolean {
  if (!(thrown instanceof ServiceError)) return isSystemFatal(thrown);
  return fatalCodes.has(thrown.code) || isSystemFatal(thrown.cause);
}

function isSystemFatal(error: unknown): boolean {
  return fatalSystemCodes.has((error as NodeJS.ErrnoException | undefined)?.code ?? '');
}

/** The rest of a generator, which the first loop that ends early does not close for the others. */
function withoutReturn(work: AsyncGenerator<Work, void, void>): AsyncIterable<Work> {
  return { [Symbol.asyncIterator]: () => ({ next: async () => work.next() }) };
}
