import { dirname, join, resolve } from 'node:path';
import type { Logger } from 'pino';
import { withoutControls } from '../../errors/quoted.ts';
import { ServiceError } from '../../errors/service-error.ts';
import { makeFolder, requireWritable } from '../../model/import/publish-folder.ts';
import type { ModelSource } from '../../model/model-source.ts';
import type { TokenFormat } from '../../tokens/formats/format.ts';
import { type CreateEncoder, useEncoder } from '../command-encoder.ts';
import type { ExitCode } from '../exit-code.ts';
import {
  type EncodeSettings,
  isArchive,
  layoutOf,
  layouts,
  type WritingSettings,
} from '../settings/encode.ts';
import { type RecipeRequest, recipeRequest } from '../settings/recipe-flags.ts';
import { interruptible, type Terminal } from '../terminal.ts';
import { requireWritableFile } from '../write-whole.ts';
import { encodeAll } from './encode-all.ts';
import { type Counts, openEncodeProgress } from './encode-progress.ts';
import { ExpectedTotal } from './expected-total.ts';
import { Failures } from './failures.ts';
import type { ImageEncoder } from './image-encoder.ts';
import { findInputs, type Inputs } from '../inputs/find-inputs.ts';
import { fileSize } from '../inputs/input-files.ts';
import { openLocalEncoder } from './local-encoder.ts';
import { manifestName } from './manifest.ts';
import { openOutput } from './open-output.ts';
import { writePreview } from './preview.ts';
import { openServiceEncoder, type ServiceAccess } from './service-encoder.ts';
import { findWork } from './work.ts';

export interface EncodeParts extends Pick<ServiceAccess, 'env' | 'wait'> {
  /** Rejects if the first model has no projector. Loads nothing. */
  readonly requireProjector: (models: readonly ModelSource[]) => Promise<void>;
  readonly createEncoder: CreateEncoder<'plan' | 'encode'>;
  /** All of stdin. */
  readonly readStdin: () => Promise<string>;
  readonly logger: Logger;
}

/**
 * Encodes image files, writes their tokens, and reports the count on stdout. Resolves with 1 if a file failed; failures are
 * reported on stderr and the other files are still encoded. Rejects if nothing can be encoded or written, or on interruption.
 * With --preview it draws the tokens of the only file instead.
 */
export async function encodeFiles(
  operands: readonly string[],
  settings: EncodeSettings,
  terminal: Terminal,
  parts: EncodeParts,
): Promise<ExitCode> {
  const { out, embeddings, models, urls } = settings;
  if (out !== undefined && operands.some((operand) => resolve(operand) === resolve(out)))
    throw new ServiceError('invalid_argument', `--out ${out} is one of the inputs; choose another place.`);
  if (embeddings && urls.length === 0) await parts.requireProjector(models);
  const inputs = await findInputs(operands, parts.readStdin, out);
  if (out === undefined) return await drawPreview(inputs, settings, terminal, parts);
  if (!isArchive(out)) await requireWritable(out);
  else if (inputs.found.every(({ kind }) => kind !== 'tar')) await requireWritableFile(out);
  else {
    throw new ServiceError(
      'invalid_argument',
      `--out ${out} needs the list of images up front, which a tar does not give. Use a folder.`,
    );
  }
  const writing = { ...settings, out };
  const request = recipeRequest(settings);
  const { format } = layouts[layoutOf(settings)];
  const { counts, seconds } = await interruptible(
    terminal,
    async (signal) =>
      useEncoder(openEncoder(settings, request, format, terminal, parts, signal), signal, async (encoder) => {
        const startMs = terminal.now();
        const encoded = await encodeInputs(inputs, writing, request, encoder, terminal, signal);
        return { counts: encoded, seconds: (terminal.now() - startMs) / 1000 };
      }),
    isArchive(out) ? '' : ' Run the same command again to resume.',
  );
  terminal.stdout.write(`${out}: ${summaryOf(counts, seconds)}\n`);
  return counts.failed === 0 ? 0 : 1;
}

async function drawPreview(
  inputs: Inputs,
  settings: EncodeSettings,
  terminal: Terminal,
  parts: EncodeParts,
): Promise<ExitCode> {
  const { preview = '' } = settings;
  const request = recipeRequest({ ...settings, dtype: 'float32' });
  await requireWritableFile(preview);
  const sentence = await interruptible(terminal, async (signal) =>
    useEncoder(openEncoder(settings, request, 'raw', terminal, parts, signal), signal, async (encoder) =>
      writePreview(preview, inputs, encoder, signal),
    ),
  );
  terminal.stdout.write(`${sentence}\n`);
  return 0;
}

async function openEncoder(
  settings: EncodeSettings,
  request: RecipeRequest,
  format: TokenFormat,
  { now, stderr }: Terminal,
  { createEncoder, logger, env, wait }: EncodeParts,
  signal: AbortSignal,
): Promise<ImageEncoder> {
  if (settings.urls.length === 0) {
    return await openLocalEncoder(settings, request, format, createEncoder, logger);
  }
  const note = (sentence: string) => void stderr.write(`siglip-hd: ${withoutControls(sentence)}\n`);
  return await openServiceEncoder(settings, request, format, { env, now, wait }, note, signal);
}

async function encodeInputs(
  { found, failures }: Inputs,
  settings: WritingSettings,
  request: RecipeRequest,
  encoder: ImageEncoder,
  terminal: Terminal,
  signal: AbortSignal,
): Promise<Counts> {
  await makeFolder(isArchive(settings.out) ? dirname(settings.out) : settings.out);
  const output = await openOutput(
    found.map(({ path }) => path),
    settings,
    request,
    encoder,
  );
  const failed = new Failures(
    terminal,
    isArchive(settings.out) ? undefined : join(settings.out, manifestName),
  );
  const progress = openEncodeProgress(terminal);
  const tars = found.filter(({ kind }) => kind === 'tar');
  const tarSizes = await Promise.all(tars.map(async ({ path }) => (await fileSize(path)) ?? 0));
  const tarBytes = tarSizes.reduce((sum, sizeBytes) => sum + sizeBytes, 0);
  const total = new ExpectedTotal(found.length - tars.length, tarBytes);
  let done = 0;
  try {
    for (const { file, problem } of failures) {
      failed.add(file, problem);
      await output.record({ file, error: { code: 'invalid_argument', detail: problem } });
    }
    const counts = await encodeAll(
      findWork(found, { ...output, total, maxFileBytes: settings.maxFileBytes }),
      {
        encoder,
        ...output,
        onFailure: (file, text) => failed.add(file, text),
        onProgress(each) {
          done = each.encoded + each.there;
          progress.update(each, total.images);
        },
      },
      AbortSignal.any([signal, output.lost]),
    );
    if (counts.encoded > 0 || !isArchive(settings.out)) await output.sink.finish();
    else await output.sink.abandon();
    return { ...counts, failed: counts.failed + failures.length };
  } catch (error) {
    await output.sink.abandon();
    const isGone = error instanceof ServiceError && error.code === 'unavailable';
    if (done === 0 || isArchive(settings.out) || !isGone) throw error;
    const left = `${done} of ${total.images} images are done. Run the same command again to resume.`;
    throw error.withMessage(`${error.message} ${left}`);
  } finally {
    progress.close();
    failed.list();
    await output.close();
  }
}

function summaryOf({ encoded, failed, there }: Counts, seconds: number): string {
  return [
    `${encoded} ${encoded === 1 ? 'image' : 'images'} encoded`,
    ...(there === 0 ? [] : [`${there} already encoded`]),
    ...(failed === 0 ? [] : [`${failed} failed`]),
    `${seconds.toFixed(1)} s`,
    ...(encoded === 0 ? [] : [`${(encoded / seconds).toFixed(1)} images/s`]),
  ].join(', ');
}
