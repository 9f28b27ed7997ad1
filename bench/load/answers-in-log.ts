import { readFile } from 'node:fs/promises';

/** Encodes that a service says it has answered. */
export async function answersIn(logFile: string): Promise<number> {
  const log = await readFile(logFile, 'utf8');
  return [...log.matchAll(/"endpoint":"encode",.*"code":"ok"/g)].length;
}
