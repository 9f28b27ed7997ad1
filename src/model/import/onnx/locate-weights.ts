import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { alignmentBytes, type Placement } from '../graph.ts';
import { storedType } from './element-types.ts';
import type { StoredTensor } from './read-tensor.ts';
import type { ByteRange, WireFile } from './wire-file.ts';

/** Bytes of some file. */
export interface FileRange extends ByteRange {
  readonly path: string;
}

/** An initialiser and where it goes. */
export type LocatedWeight =
  /** Stays in the graph as it is. */
  | { readonly kind: 'kept'; readonly tensor: StoredTensor }
  /** Small values of another file, which come into the graph. */
  | { readonly kind: 'inside'; readonly tensor: StoredTensor; readonly from: FileRange }
  /** Into the weights file. */
  | {
      readonly kind: 'moved';
      readonly tensor: StoredTensor;
      readonly from: FileRange;
      readonly place: Placement;
    };

/** Smaller values stay in the graph, where shape inference looks for them. */
const leastMovedBytes = 4096;

/**
 * Finds the values of all initialisers of the file at `path`, and gives the large ones a place in the weights file.
 * Throws `invalid_argument` where values in other files are missing, or would be outside the file's folder.
 */
export async function locateWeights(
  file: WireFile,
  path: string,
  tensors: readonly StoredTensor[],
): Promise<LocatedWeight[]> {
  const sizes = new Map<string, number>();
  const located: LocatedWeight[] = [];
  let endBytes = 0;
  for (const tensor of tensors) {
    const from = await source(file, path, tensor, sizes);
    if (from !== undefined && tensor.sizeBytes >= leastMovedBytes) {
      const offsetBytes = Math.ceil(endBytes / alignmentBytes) * alignmentBytes;
      endBytes = offsetBytes + tensor.sizeBytes;
      located.push({ kind: 'moved', tensor, from, place: { offsetBytes, sizeBytes: tensor.sizeBytes } });
    } else if (from !== undefined && tensor.data.kind === 'external') {
      located.push({ kind: 'inside', tensor, from });
    } else {
      located.push({ kind: 'kept', tensor });
    }
  }
  return located;
}

/** Where the values lie as bytes; undefined when they are spread over the tensor's fields. */
async function source(
  file: WireFile,
  path: string,
  { name, type, sizeBytes, data }: StoredTensor,
  sizes: Map<string, number>,
): Promise<FileRange | undefined> {
  if (data.kind === 'fields') return undefined;
  if (data.kind === 'raw') return { path, ...data.range };
  if (storedType(type) === undefined) throw file.fault(`has initialiser ${name} of ONNX's type ${type}`);
  const location = data.entries.get('location') ?? '';
  const parts = location.split('/');
  // A graph comes with a download: it must not reach out of its folder.
  if (/[\\\0:]/.test(location) || parts.some((part) => part === '' || part === '.' || part === '..')) {
    throw file.fault(
      `has initialiser ${name} in ${JSON.stringify(location)}, which is no file of its folder`,
    );
  }
  const outside = join(dirname(path), location);
  const fileBytes = sizes.get(location) ?? (await sizeOf(file, location, outside));
  sizes.set(location, fileBytes);
  const start = numberOf(data.entries.get('offset') ?? '0');
  const length = numberOf(data.entries.get('length') ?? String(sizeBytes));
  if (Number.isNaN(start) || length !== sizeBytes) {
    const said = `${length} bytes at ${start} of ${location}`;
    throw file.fault(`is damaged: initialiser ${name} has ${said}, its shape makes it ${sizeBytes} bytes`);
  }
  const end = start + sizeBytes;
  if (!(end <= fileBytes)) {
    throw file.fault(`needs bytes ${start} to ${end} of ${location}, which has only ${fileBytes}`);
  }
  return { path: outside, start, end };
}

function numberOf(text: string): number {
  // Fifteen digits are exact, as is their sum with a size.
  return /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
}

async function sizeOf(file: WireFile, location: string, path: string): Promise<number> {
  const found = await stat(path).catch((error: unknown) => {
    throw file.fault(`needs ${location} beside it, which is missing`, { cause: error });
  });
  if (!found.isFile()) throw file.fault(`needs ${location} beside it, which is no file`);
  return found.size;
}
