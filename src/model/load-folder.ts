import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { didYouMean } from '../errors/did-you-mean.ts';
import { invalidArgument } from '../errors/invalid-argument.ts';
import { ServiceError } from '../errors/service-error.ts';
import { systemReason } from '../errors/system-reason.ts';
import { JsonObject } from './json-object.ts';
import { manifestDigest, manifestFile, parseManifest, type FileDigest, type Manifest } from './manifest.ts';
import type { Model } from './model.ts';

const readBytes = 1 << 20;

/**
 * Reads a model folder and checks the size and SHA-256 of each of its files against model.json. The model is served
 * as `name`, or as the folder's base name when absent. Rejects with `invalid_argument` and one sentence.
 */
export async function loadModelFolder(folder: string, name?: string): Promise<Model> {
  const path = resolve(folder);
  const manifest = await readManifest(path);
  for (const [file, expected] of Object.entries(manifest.files)) await requireFile(path, file, expected);
  return describeModel(manifest, path, name);
}

/** As {@link loadModelFolder}, but reads model.json alone. */
export async function readModelFolder(folder: string, name?: string): Promise<Model> {
  const path = resolve(folder);
  return describeModel(await readManifest(path), path, name);
}

/** The files of a model folder but model.json, as model.json names them. */
export async function modelFiles(folder: string): Promise<readonly string[]> {
  return Object.keys((await readManifest(resolve(folder))).files);
}

async function readManifest(folder: string): Promise<Manifest> {
  // Where stat fails, so does the manifest's reading, and says why.
  const entry = await stat(folder).catch(() => undefined);
  if (entry?.isFile() === true) throw invalidArgument(`${folder} is a file: give its folder.`);
  const path = join(folder, manifestFile);
  const manifest = await JsonObject.find(path, path);
  if (manifest !== undefined) return parseManifest(manifest);
  if (existsSync(folder)) {
    throw invalidArgument(
      `${folder} is not a model folder: ${manifestFile} is missing. "siglip-hd import" makes one.`,
    );
  }
  const near = didYouMean(basename(folder), await readdir(dirname(folder)).catch(() => []));
  throw invalidArgument(`${folder} does not exist; "siglip-hd import" makes a model folder.${near}`);
}

/** The model that a folder's manifest describes, without reading the folder. */
export function describeModel(manifest: Manifest, folder: string, name = basename(folder)): Model {
  const {
    formatVersion: _version,
    normalisation: _pixels,
    files: _files,
    provenance,
    ...described
  } = manifest;
  return {
    ...described,
    name,
    folder: resolve(folder),
    digest: manifestDigest(manifest),
    ...(provenance.revision === undefined ? {} : { revision: provenance.revision }),
  };
}

async function requireFile(folder: string, file: string, expected: FileDigest): Promise<void> {
  const path = join(folder, file);
  try {
    const { size } = await stat(path);
    if (size !== expected.sizeBytes) {
      throw invalidArgument(
        `${path} has ${size} bytes, not the ${expected.sizeBytes} of ${manifestFile}; import the model again.`,
      );
    }
    const hash = createHash('sha256');
    for await (const chunk of createReadStream(path, { highWaterMark: readBytes })) {
      hash.update(chunk as Uint8Array);
    }
    if (hash.digest('hex') !== expected.sha256) {
      throw invalidArgument(
        `${path} is not the file of ${manifestFile}: its SHA-256 differs; import the model again.`,
      );
    }
  } catch (error) {
    if (error instanceof ServiceError) throw error;
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const problem = isMissing
      ? 'is missing; import the model again'
      : `cannot be read: ${systemReason(error)}`;
    const message = `${path} ${problem}.`;
    throw invalidArgument(message, error);
  }
}
