import { ServiceError } from '../../errors/service-error.ts';
import { systemReason } from '../../errors/system-reason.ts';
import { fileSize, readInput } from '../inputs/input-files.ts';
import type { ExpectedTotal } from './expected-total.ts';
import type { FileMap } from '../inputs/file-map.ts';
import { type Input, isImageName } from '../inputs/find-inputs.ts';
import type { OutputNames } from './output-names.ts';
import { type TarMember, tarMembers } from './tar-members.ts';

/** An image to encode. */
export interface WorkItem {
  readonly kind: 'image';
  /** Its path; in a tar, the tar's path and the member's name. */
  readonly file: string;
  /** The name of its output, without an extension. No other image has it. */
  readonly name: string;
  /** Rejects with `invalid_argument` if it cannot be read, and with `too_large` if it is larger than allowed. */
  read(): Promise<Uint8Array>;
}

/** What a file or a member of a tar calls for. */
export type Work =
  | WorkItem
  /** An earlier run has encoded it. */
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly file: string; readonly error: ServiceError };

export interface WorkOptions {
  readonly names: OutputNames;
  /** The size in bytes of each file that an earlier run has encoded. */
  readonly done: Pick<FileMap<number>, 'get'>;
  readonly maxFileBytes: number;
  readonly total: ExpectedTotal;
}

/** What there is to do for the inputs, in their order. Tars are read as the work is taken. */
export async function* findWork(
  inputs: readonly Input[],
  options: WorkOptions,
): AsyncGenerator<Work, void, void> {
  for (const input of inputs) {
    if (input.kind === 'tar') yield* workOfTar(input, options);
    else yield await workOfFile(input, options);
  }
}

async function workOfFile({ path, relativePath }: Input, options: WorkOptions): Promise<Work> {
  const { names, done, maxFileBytes } = options;
  const doneBytes = await done.get(path);
  if (doneBytes !== undefined) {
    const sizeBytes = (await fileSize(path)) ?? doneBytes;
    return sizeBytes === doneBytes ? { kind: 'done' } : changed(path, doneBytes, sizeBytes);
  }
  return {
    kind: 'image',
    file: path,
    name: names.claim(path, relativePath),
    read: async () => {
      const sizeBytes = (await fileSize(path)) ?? 0;
      if (sizeBytes > maxFileBytes) throw tooLarge(sizeBytes, maxFileBytes);
      return await readInput(path);
    },
  };
}

async function* workOfTar({ path }: Input, options: WorkOptions): AsyncGenerator<Work, void, void> {
  const { names, done, maxFileBytes, total } = options;
  const sizeBytes = (await fileSize(path)) ?? 0;
  const seen = new Set<string>();
  try {
    for await (const member of tarMembers(path)) {
      if (!isImageName(member.name) || seen.has(member.name)) continue;
      seen.add(member.name);
      total.addMember(member.passedBytes);
      const file = `${path}/${member.name}`;
      const doneBytes = await done.get(file);
      if (doneBytes === undefined) yield await workOfMember(member, file, names, maxFileBytes);
      else if (doneBytes === member.sizeBytes) yield { kind: 'done' };
      else yield changed(file, doneBytes, member.sizeBytes);
    }
  } catch (error) {
    yield { kind: 'failed', file: path, error: unreadableTar(error) };
  } finally {
    total.endTar(sizeBytes);
  }
}

/** Reads the member, since a tar goes on only then. */
async function workOfMember(
  member: TarMember,
  file: string,
  names: OutputNames,
  maxFileBytes: number,
): Promise<Work> {
  const name = names.claim(file, member.name);
  if (member.sizeBytes > maxFileBytes) {
    return { kind: 'failed', file, error: tooLarge(member.sizeBytes, maxFileBytes) };
  }
  const bytes = await member.read();
  return { kind: 'image', file, name, read: async () => bytes };
}

function changed(file: string, doneBytes: number, sizeBytes: number): Work {
  const message =
    `It has changed since it was encoded: it had ${doneBytes} bytes and has ${sizeBytes}. ` +
    'Encode it into another folder.';
  return { kind: 'failed', file, error: new ServiceError('failed_precondition', message) };
}

function tooLarge(sizeBytes: number, maxBytes: number): ServiceError {
  return new ServiceError(
    'too_large',
    `It has ${sizeBytes} bytes; at most ${maxBytes} are read (--max-file-bytes).`,
  );
}

function unreadableTar(error: unknown): ServiceError {
  const reason =
    error instanceof Error && !('code' in error)
      ? `the tar is damaged (${error.message.replace(/\.$/, '')}); the images before the damage are encoded`
      : systemReason(error);
  return new ServiceError('invalid_argument', `${reason}.`, { cause: error });
}
