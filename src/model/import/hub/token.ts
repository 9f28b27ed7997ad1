import { readFileSync } from 'node:fs';
import { invalidArgument } from '../../../errors/invalid-argument.ts';
import { systemReason } from '../../../errors/system-reason.ts';
import { isTrue } from './flag.ts';

/** A token of the hub. */
export interface HubToken {
  /** Goes to the hub's own host and to no other. Never part of a message. */
  readonly value: string;
  /** The environment variable or the file that it was read from, for messages. */
  readonly source: string;
}

/**
 * The token that Python's huggingface_hub would send: HF_TOKEN, else HUGGING_FACE_HUB_TOKEN, else the one that
 * `hf auth login` keeps in `file`; none with HF_HUB_DISABLE_IMPLICIT_TOKEN. Throws `invalid_argument` for a token
 * that cannot stand in a header, and for a file that HF_TOKEN_PATH names and that cannot be read.
 */
export function readToken(env: NodeJS.ProcessEnv, file: string | undefined): HubToken | undefined {
  if (isTrue(env['HF_HUB_DISABLE_IMPLICIT_TOKEN'])) return undefined;
  for (const source of ['HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN']) {
    const value = env[source]?.trim();
    if (value) return checked({ value, source });
  }
  const value = file === undefined ? '' : readTokenFile(file, Boolean(env['HF_TOKEN_PATH']));
  return file === undefined || value === '' ? undefined : checked({ value, source: file });
}

/** A user who is not the home's owner has no token there. */
function readTokenFile(file: string, isNamed: boolean): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (['ENOENT', 'ENOTDIR'].includes(code) || (code === 'EACCES' && !isNamed)) return '';
    const message = `The token in ${file} cannot be read: ${systemReason(error)}.`;
    throw invalidArgument(message, error);
  }
}

function checked(token: HubToken): HubToken {
  if (/^[\x21-\x7e]+$/.test(token.value)) return token;
  throw invalidArgument(`${token.source} holds a character that a token cannot have.`);
}
