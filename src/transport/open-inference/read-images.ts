import { ServiceError } from '../../errors/service-error.ts';
import type { ImageInput } from '../../image/raster.ts';
import { isAlone } from '../sole-image.ts';
import { byteElements } from './byte-elements.ts';
import { type InferInput, invalid, quotedName, refuseSharedMemory } from './infer-request.ts';

/** The names of every model's inputs. A request has one of the two. */
export const inputNames = { files: 'image', pixels: 'pixels' } as const;

const inputTypes = { [inputNames.files]: 'BYTES', [inputNames.pixels]: 'UINT8' } as const;

const largestSide = 2 ** 32 - 1;

/**
 * The images of a request, from its one input: files as BYTES [n] or [n, 1], or pixels as UINT8 [n, height, width, 3]. They
 * stay in the request's buffer. Throws `invalid_argument`, and `too_large` for more than `maxImages`.
 */
export function imagesOf(inputs: readonly InferInput[], maxImages: number): readonly ImageInput[] {
  const input = onlyInput(inputs);
  refuseSharedMemory(input.name, input.parameters);
  const wanted = inputTypes[input.name as keyof typeof inputTypes];
  if (input.datatype !== wanted) {
    const given = quotedName(input.datatype);
    throw invalid(`The input "${input.name}" has the datatype ${given}; it must be ${wanted}.`);
  }
  for (const side of input.shape) {
    if (Number.isInteger(side) && side >= 1 && side <= largestSide) continue;
    throw invalid(
      `The input "${input.name}" has the shape ${shapeText(input)}; every side must be a whole number from 1 to ${largestSide}.`,
    );
  }
  return input.name === inputNames.files ? filesOf(input, maxImages) : rastersOf(input, maxImages);
}

function onlyInput(inputs: readonly InferInput[]): InferInput {
  const names = Object.values(inputNames);
  const unknown = inputs.find(({ name }) => !names.some((known) => known === name));
  if (unknown !== undefined) {
    throw invalid(`The model has no input ${quotedName(unknown.name)}; its inputs are ${names.join(', ')}.`);
  }
  const [input, second] = inputs;
  if (input === undefined) throw invalid(`The request has no input: send ${names.join(' or ')}.`);
  if (second === undefined) return input;
  throw invalid(`The request has ${inputs.length} inputs; send one: ${names.join(' or ')}.`);
}

function filesOf(input: InferInput, maxImages: number): ImageInput[] {
  const [count = 0, width = 1, ...more] = input.shape;
  if (input.shape.length === 0 || width !== 1 || more.length > 0) {
    throw invalid(
      `The input "image" has the shape ${shapeText(input)}; it must be [n] or [n, 1], for n files.`,
    );
  }
  limitImages(count, maxImages);
  const files = elementsOf(input, count);
  return files.map((bytes, index) => {
    if (bytes.byteLength === 0) throw invalid(`Element ${index} of the input "image" is empty.`);
    return { kind: 'file', bytes, ownsBuffer: count === 1 && isAlone(bytes) };
  });
}

function elementsOf({ name, data }: InferInput, count: number): readonly Uint8Array[] {
  switch (data.kind) {
    case 'raw':
      return byteElements(name, data.bytes, count);
    case 'elements':
      if (data.elements.length === count) return data.elements;
      throw invalid(`The input "${name}" has ${data.elements.length} elements; its shape has ${count}.`);
    case 'uint8':
    case 'other':
      throw invalid(
        `The input "${name}" holds ${data.kind === 'uint8' ? 'numbers' : data.what}; it takes BYTES.`,
      );
    case 'none':
      throw noData(name);
  }
}

function rastersOf(input: InferInput, maxImages: number): ImageInput[] {
  const [count = 0, height = 0, width = 0, channels] = input.shape;
  if (input.shape.length !== 4 || channels !== 3) {
    throw invalid(
      `The input "pixels" has the shape ${shapeText(input)}; it must be [n, height, width, 3], RGB.`,
    );
  }
  limitImages(count, maxImages);
  const bytes = pixelsOf(input);
  // Exact, whatever the sides are.
  const wantedBytes = input.shape.reduce((product, side) => product * BigInt(side), 1n);
  if (wantedBytes !== BigInt(bytes.byteLength)) {
    throw invalid(
      `The input "pixels" has ${bytes.byteLength} bytes; the shape ${shapeText(input)} takes ${wantedBytes}.`,
    );
  }
  const imageBytes = height * width * 3;
  return Array.from({ length: count }, (_, index) => {
    const data = bytes.subarray(index * imageBytes, (index + 1) * imageBytes);
    return { kind: 'raster', raster: { width, height, data }, ownsBuffer: count === 1 && isAlone(data) };
  });
}

function pixelsOf({ name, data }: InferInput): Uint8Array {
  switch (data.kind) {
    case 'raw':
    case 'uint8':
      return data.bytes;
    case 'elements':
    case 'other':
      throw invalid(
        `The input "${name}" holds ${data.kind === 'elements' ? 'BYTES' : data.what}; it takes whole numbers from 0 to 255.`,
      );
    case 'none':
      throw noData(name);
  }
}

function limitImages(count: number, maxImages: number): void {
  if (count <= maxImages) return;
  throw new ServiceError(
    'too_large',
    `The request has ${count} images; at most ${maxImages} are accepted (--max-images).`,
  );
}

function noData(name: string): ServiceError {
  return invalid(`The input "${name}" has no data.`);
}

function shapeText({ shape }: InferInput): string {
  const sides = shape.length > 8 ? [...shape.slice(0, 8), '…'] : shape;
  return `[${sides.join(', ')}]`;
}
