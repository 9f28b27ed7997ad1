import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fixture } from './fixtures.ts';

/** A tensor of a small checkpoint, in memory and open to changes. */
export interface TestTensor {
  dtype: string;
  shape: number[];
  data: Buffer;
}

/** A copy of siglip-tiny in `folder`, changed by `change` and written again. */
export async function changedCheckpoint(
  folder: string,
  change: (tensors: Map<string, TestTensor>) => void,
): Promise<string> {
  const source = join(folder, 'checkpoint');
  await cp(fixture('siglip-tiny'), source, { recursive: true });
  const file = join(source, 'model.safetensors');
  const tensors = decodeSafetensors(await readFile(file));
  change(tensors);
  await writeFile(file, encodeSafetensors(tensors));
  return source;
}

/** A copy of siglip-tiny in `folder` with fields of one of its JSON files set, or taken out when undefined. */
export async function configuredCheckpoint(
  folder: string,
  file: 'config.json' | 'preprocessor_config.json',
  fields: Record<string, unknown>,
): Promise<string> {
  const source = join(folder, 'checkpoint');
  await cp(fixture('siglip-tiny'), source, { recursive: true });
  const path = join(source, file);
  const json = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  await writeFile(path, JSON.stringify({ ...json, ...fields }));
  return source;
}

export function encodeSafetensors(tensors: ReadonlyMap<string, TestTensor>): Buffer {
  let offset = 0;
  const entries = [...tensors].map(([name, { dtype, shape, data }]) => {
    const start = offset;
    offset += data.byteLength;
    return [name, { dtype, shape, data_offsets: [start, offset] }] as const;
  });
  return encodeFile(
    JSON.stringify(Object.fromEntries(entries)),
    [...tensors.values()].map(({ data }) => data),
  );
}

/** A safetensors file of any header. */
export function encodeFile(header: string, data: readonly Uint8Array[]): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(header)));
  return Buffer.concat([length, Buffer.from(header), ...data]);
}

export function decodeSafetensors(file: Buffer): Map<string, TestTensor> {
  const start = 8 + Number(file.readBigUInt64LE());
  const header = JSON.parse(file.toString('utf8', 8, start)) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  delete header['__metadata__'];
  return new Map(
    Object.entries(header).map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [from, to],
        },
      ]) => [name, { dtype, shape, data: file.subarray(start + from, start + to) }],
    ),
  );
}
