import { getSystemErrorMap } from 'node:util';

/**
 * Why the operating system refused, in words without a code or a path: "permission denied". If the error has no code,
 * one is looked for in its message; failing that, the message is the reason.
 */
export function systemReason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  const name = code ?? /\bE[A-Z0-9]{3,}\b/.exec(message)?.[0];
  if (name === 'EISDIR') return 'it is a folder';
  if (name === 'ENOTFOUND') return 'no such host';
  const known = [...getSystemErrorMap().values()].find(([each]) => each === name);
  return known?.[1] ?? message;
}
