import { readFile } from 'node:fs/promises';
import { ServiceError } from '../errors/service-error.ts';
import { systemReason } from '../errors/system-reason.ts';

/** A file that the command line names. Rejects with `invalid_argument` and the system's reason in a sentence. */
export async function readInput(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (error) {
    throw new ServiceError('invalid_argument', `${systemReason(error)}.`, { cause: error });
  }
}
