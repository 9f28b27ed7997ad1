import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bytesOf, type FuzzCase } from './case.ts';

/** Something that the service did wrong. */
export interface FuzzFinding {
  /** The case; none where it cannot be told which of several it was. */
  readonly number: number | undefined;
  readonly what: string;
  readonly fault: string;
}

/** Writes a case as JSON, and what it sends as bytes beside it; gives the path of the JSON. */
export async function writeCase(folder: string, seed: number, sent: FuzzCase): Promise<string> {
  await mkdir(folder, { recursive: true });
  const name = join(folder, `seed-${seed}-case-${sent.number}`);
  await writeFile(`${name}.bin`, bytesOf(sent));
  const text = JSON.stringify({ seed, ...sent }, bytesAsBase64, 2);
  await writeFile(`${name}.json`, `${text}\n`);
  return `${name}.json`;
}

function bytesAsBase64(_name: string, value: unknown): unknown {
  const isBuffer = typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer';
  return isBuffer && 'data' in value && Array.isArray(value.data)
    ? { base64: Buffer.from(value.data as number[]).toString('base64') }
    : value;
}
