import type { FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { invalidArgument } from '../../errors/invalid-argument.ts';
import type { ServiceError } from '../../errors/service-error.ts';
import { shortName } from '../json-object.ts';
import { openStored, readAt } from './open-stored.ts';
import { locateFiles, type ArchivedFile } from './stored-archive.ts';
import type { StoredTensor, StoredTensors } from './stored-tensor.ts';
import { readStateDict, type TorchTensor } from './torch-state.ts';

/** A checkpoint of 900 tensors has a pickle of 0.1 MB. */
const maxPickleBytes = 8 * 1024 * 1024;

/** Files of torch before 1.6 begin with a pickled magic number. */
const legacyStart = Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex');
const archiveStart = Buffer.from('PK\x03\x04', 'latin1');

/**
 * The tensors of a file that torch.save wrote of a state_dict, such as pytorch_model.bin, by name. Reads the archive's
 * directory and its pickle, and executes nothing of it. Throws `invalid_argument` for anything but plain tensors.
 */
export async function readTorchFile(path: string): Promise<StoredTensors> {
  const label = basename(path);
  const file = await openStored(path);
  try {
    await requireArchive(file, label);
    const files = await locateFiles(file).catch((error: unknown) => {
      throw fault(label, `is truncated or damaged as an archive: ${(error as Error).message}`, error);
    });
    const folder = findFolder(files, label);
    await requireLittleEndian(file, files.get(`${folder}byteorder`), label);
    const pickle = await readFile(file, files.get(`${folder}data.pkl`)!, maxPickleBytes, label);
    const tensors = [...readStateDict(pickle, label)];
    return new Map(
      tensors.map(([name, tensor]) => {
        const storage = files.get(`${folder}data/${tensor.storage.key}`);
        return [
          name,
          locate(tensor, storage, (sentence) =>
            fault(label, `is damaged: tensor ${shortName(name)} ${sentence}`),
          ),
        ];
      }),
    );
  } finally {
    await file.close();
  }
}

async function requireArchive(file: FileHandle, label: string): Promise<void> {
  const start = Buffer.alloc(legacyStart.byteLength);
  const isWhole = await readAt(file, start, 0);
  if (isWhole && start.equals(legacyStart)) {
    throw fault(
      label,
      'has the format of torch before 1.6, which is not read here. In its folder, this converts it: python -c ' +
        `"import torch; torch.save(torch.load('${label}', map_location='cpu', weights_only=True), '${label}')"`,
    );
  }
  if (!isWhole || !start.subarray(0, archiveStart.byteLength).equals(archiveStart)) {
    throw fault(label, 'is truncated, or was not written by torch.save: it is not a ZIP archive');
  }
}

/** The folder inside the archive, with a slash; torch.save names it after the file. */
function findFolder(files: ReadonlyMap<string, ArchivedFile>, label: string): string {
  const pickles = [...files.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  if (pickles.length === 1) return pickles[0]!.slice(0, -'data.pkl'.length);
  throw fault(
    label,
    `was not written by torch.save: its archive has ${pickles.length} files named data.pkl, not one`,
  );
}

async function requireLittleEndian(
  file: FileHandle,
  entry: ArchivedFile | undefined,
  label: string,
): Promise<void> {
  // Files of torch before 2.1 do not say.
  if (entry === undefined) return;
  const order = Buffer.from(await readFile(file, entry, 16, label)).toString('latin1');
  if (order !== 'little') throw fault(label, `has the byte order ${shortName(order)}; only little is read`);
}

async function readFile(
  file: FileHandle,
  { offsetBytes, sizeBytes }: ArchivedFile,
  maxBytes: number,
  label: string,
): Promise<Uint8Array<ArrayBuffer>> {
  if (sizeBytes > maxBytes)
    throw fault(label, `has a pickle or byte order of ${sizeBytes} bytes; at most ${maxBytes} are read`);
  const bytes = new Uint8Array(sizeBytes);
  if (!(await readAt(file, bytes, offsetBytes))) throw fault(label, 'is truncated');
  return bytes;
}

/** A tensor's place in the file. Throws where its storage does not hold it. */
function locate(
  { storage, offset, shape, strides }: TorchTensor,
  file: ArchivedFile | undefined,
  damaged: (sentence: string) => ServiceError,
): StoredTensor {
  const { dtype, elementBytes } = storage;
  if (file === undefined) throw damaged('has no storage in the archive');
  const available = Math.floor(file.sizeBytes / elementBytes);
  const elements = shape.reduce((product, size) => product * size, 1);
  const last = shape.reduce((sum, size, i) => sum + (size - 1) * strides[i]!, offset);
  if (elements > 0 && last >= available)
    throw damaged(`ends at element ${last} of a storage that has ${available}`);
  // Otherwise a small file could make a large one.
  if (elements > available) throw damaged(`has ${elements} elements in a storage that has ${available}`);
  const isRowMajor = shape.every(
    (size, i) =>
      size === 1 || strides[i] === shape.slice(i + 1).reduce((product, inner) => product * inner, 1),
  );
  return {
    dtype,
    shape,
    offsetBytes: file.offsetBytes + offset * elementBytes,
    sizeBytes: elements === 0 ? 0 : (last - offset + 1) * elementBytes,
    ...(isRowMajor || elements === 0 ? {} : { strides }),
  };
}

function fault(label: string, sentence: string, cause?: unknown): ServiceError {
  return invalidArgument(`${label} ${sentence}.`, cause);
}
