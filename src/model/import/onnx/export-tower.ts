import { shortJson } from '../../json-object.ts';
import { gridSide, type TowerGeometry } from '../../tower-geometry.ts';
import type { ExportedModel, Port } from './read-export.ts';
import type { WireFile } from './wire-file.ts';

/** Input and output of the vision models that Optimum exports. */
export const exportInput = 'pixel_values';
export const exportOutput = 'last_hidden_state';

/** How an exported graph is to be called. */
export interface ExportTower {
  readonly imageSize: number;
  /** Patches' tokens of a view. */
  readonly tokens: number;
  readonly channels: number;
  /** Whether a class token comes before the patches', as CLIP has it. */
  readonly hasClassToken: boolean;
  readonly inputType: 'float32' | 'float16';
  readonly outputType: 'float32' | 'float16';
}

const portTypes: ReadonlyMap<number, 'float32' | 'float16'> = new Map([
  [1, 'float32'],
  [10, 'float16'],
]);

/**
 * Holds what a graph says of its input and output against config.json's geometry. Throws `invalid_argument` where
 * they disagree, and for what is no vision model of a free batch size.
 */
export function exportTower(file: WireFile, model: ExportedModel, geometry: TowerGeometry): ExportTower {
  const initialisers = new Set(model.initialisers.map(({ name }) => name));
  const inputs = model.inputs.filter(({ name }) => !initialisers.has(name));
  const input = find(file, 'input', inputs, exportInput);
  const output = find(file, 'output', model.outputs, exportOutput);
  const others = inputs.filter((one) => one !== input).map(({ name }) => name);
  if (others.length > 0) {
    throw file.fault(`needs the inputs ${listed(others)} as well; import the vision model alone`);
  }
  const { imageSize, channels } = geometry;
  const [tokens, withClass] = [gridSide(geometry) ** 2, gridSide(geometry) ** 2 + 1];
  const [, tokenCount] = output.dims ?? [];
  requireDims(file, input, [undefined, [3], [imageSize], [imageSize]]);
  requireDims(file, output, [undefined, [tokens, withClass], [channels]]);
  return {
    imageSize,
    tokens,
    channels,
    hasClassToken: tokenCount === withClass || (tokenCount === undefined && geometry.architecture === 'clip'),
    inputType: requireType(file, input),
    outputType: requireType(file, output),
  };
}

function find(file: WireFile, kind: 'input' | 'output', ports: readonly Port[], name: string): Port {
  const port = ports.find((one) => one.name === name);
  if (port !== undefined) return port;
  const there = ports.length === 0 ? 'none' : listed(ports.map((one) => one.name));
  throw file.fault(`has no ${kind} ${name}; its ${kind}s are: ${there}`);
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, 8).map((name) => shortJson(name).replaceAll('"', ''));
  return names.length > shown.length
    ? `${shown.join(', ')} and ${names.length - shown.length} more`
    : shown.join(', ');
}

function requireType(file: WireFile, { name, type }: Port): 'float32' | 'float16' {
  const found = portTypes.get(type);
  if (found === undefined)
    throw file.fault(`has ${name} of ONNX's type ${type}; expected float32 or float16`);
  return found;
}

/** Each dimension must be free or one of those allowed; the batch's must be free. */
function requireDims(
  file: WireFile,
  { name, dims }: Port,
  allowed: readonly (readonly number[] | undefined)[],
): void {
  if (dims === undefined) return;
  const shape = dims.map((size) => size ?? '?').join(', ');
  if (dims.length !== allowed.length) {
    throw file.fault(`has ${name} of the shape [${shape}]; expected ${allowed.length} dimensions`);
  }
  if (dims[0] !== undefined) {
    throw file.fault(`has ${name} of a fixed batch of ${dims[0]}; export it with a dynamic batch size`);
  }
  const misfit = dims.some((size, i) => size !== undefined && allowed[i]?.includes(size) === false);
  if (misfit) {
    const expected = allowed.map((sizes) => sizes?.join(' or ') ?? '?').join(', ');
    throw file.fault(`has ${name} of the shape [${shape}]; config.json makes it [${expected}]`);
  }
}
