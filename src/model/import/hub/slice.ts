import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { invalidArgument } from '../../../errors/invalid-argument.ts';
import { ServiceError } from '../../../errors/service-error.ts';
import { systemReason } from '../../../errors/system-reason.ts';
import { headerLength, parseSafetensorsHeader } from '../safetensors.ts';
import type { StoredTensor, StoredTensors } from '../stored-tensor.ts';
import type { HubClient, RemoteFile } from './client.ts';

/** Consecutive bytes of a file on the hub. */
export interface Segment {
  readonly file: string;
  readonly offsetBytes: number;
  readonly sizeBytes: number;
}

/** A safetensors file that is put together from tensors of others: a header, and then the segments. */
export interface Slice {
  readonly header: Uint8Array<ArrayBuffer>;
  readonly segments: readonly Segment[];
  readonly sizeBytes: number;
  /** The same for the same tensors of the same files. */
  readonly etag: string;
}

/** A safetensors file on the hub whose header was read. */
export interface Shard {
  readonly file: RemoteFile;
  readonly tensors: StoredTensors;
}

/** Most headers of shards are smaller. */
const firstBytes = 64 * 1024;

/** Reads a safetensors file's header from the hub; undefined where the server gives no parts of files. */
export async function readShard(
  file: RemoteFile,
  client: HubClient,
  commit: string,
): Promise<Shard | undefined> {
  const read = async (from: number, to: number): Promise<Buffer | undefined> => {
    const end = Math.min(to, file.sizeBytes);
    const { isPart, body } = await client.open(commit, file.name, from, end);
    if (isPart) return readAll(body, end - from, file.name);
    body.destroy();
    return undefined;
  };
  const start = await read(0, firstBytes);
  if (start === undefined) return undefined;
  const headerBytes = headerLength(start, file.sizeBytes, file.name);
  const rest = headerBytes + 8 > start.length ? await read(start.length, headerBytes + 8) : undefined;
  const header = Buffer.concat([start, ...(rest === undefined ? [] : [rest])]).subarray(8, 8 + headerBytes);
  return { file, tensors: parseSafetensorsHeader(header, file.sizeBytes, file.name) };
}

/** Reads an answer of `sizeBytes`. Rejects with `unavailable` for a shorter one, and does not read on in a longer one. */
async function readAll(body: IncomingMessage, sizeBytes: number, name: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let doneBytes = 0;
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      doneBytes += chunk.byteLength;
      if (doneBytes > sizeBytes) break;
    }
  } catch (error) {
    const message = `${name} stopped arriving: ${systemReason(error)}.`;
    throw new ServiceError('unavailable', message, { cause: error });
  }
  if (doneBytes === sizeBytes) return Buffer.concat(chunks);
  if (doneBytes > sizeBytes) {
    throw invalidArgument(`The hub gave more of ${name} than was asked for.`);
  }
  throw new ServiceError('unavailable', `${name} stopped arriving after ${doneBytes} of ${sizeBytes} bytes.`);
}

/** Puts those of the shards' tensors together that are in `names`. */
export function sliceOf(shards: readonly Shard[], names: ReadonlySet<string>): Slice {
  const entries: Record<string, unknown> = {};
  const segments: Segment[] = [];
  let end = 0;
  for (const { file, tensors } of shards) {
    const wanted = [...tensors].filter(([name]) => names.has(name)).toSorted(byOffset);
    for (const [name, { dtype, shape, offsetBytes, sizeBytes }] of wanted) {
      entries[name] = { dtype, shape, data_offsets: [end, end + sizeBytes] };
      end += sizeBytes;
      append(segments, { file: file.name, offsetBytes, sizeBytes });
    }
  }
  const json = Buffer.from(JSON.stringify(entries));
  const padded = Buffer.concat([json, Buffer.alloc((8 - (json.length % 8)) % 8, ' ')]);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(padded.length));
  const header = new Uint8Array(Buffer.concat([length, padded]));
  const settled = [shards.map(({ file }) => [file.name, file.etag]), segments];
  const etag = createHash('sha256').update(header).update(JSON.stringify(settled)).digest('hex');
  return { header, segments, sizeBytes: header.byteLength + end, etag };
}

/** Neighbours become one segment, which takes one request. */
function append(segments: Segment[], segment: Segment): void {
  if (segment.sizeBytes === 0) return;
  const last = segments.at(-1);
  if (last?.file === segment.file && last.offsetBytes + last.sizeBytes === segment.offsetBytes) {
    segments[segments.length - 1] = { ...last, sizeBytes: last.sizeBytes + segment.sizeBytes };
  } else {
    segments.push(segment);
  }
}

function byOffset([, a]: [string, StoredTensor], [, b]: [string, StoredTensor]): number {
  return a.offsetBytes - b.offsetBytes;
}
