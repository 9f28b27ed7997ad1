import { shortJson } from '../../json-object.ts';
import { gridSide, type TowerGeometry } from '../../tower-geometry.ts';
import { ExportProblem } from './export-problem.ts';

/** An input or output of a graph, as ONNX Runtime describes it. A size that is not fixed is a name, maybe empty. */
export interface Port {
  readonly name: string;
  /** ONNX Runtime's name of the element type; undefined for what is not a tensor. */
  readonly type: string | undefined;
  /** Empty for a single value, and where the graph does not say. */
  readonly shape: readonly (number | string)[];
}

type FloatType = 'float32' | 'float16';

/** The input that takes the pixels. */
export interface PixelPort {
  readonly name: string;
  readonly type: FloatType;
  /** Whether it is [batch, height, width, 3] rather than [batch, 3, height, width]. */
  readonly channelsLast: boolean;
}

/** The output that gives the tokens. */
export interface TokenPort {
  readonly name: string;
  readonly type: FloatType;
  /** Whether a class token precedes the patches' tokens, as CLIP has it. */
  readonly hasClassToken: boolean;
}

/** What Optimum and onnx-community call the output. */
const usualOutput = 'last_hidden_state';

/**
 * The input of an export that takes pixels. Throws an ExportProblem when there is none of this image size and a free
 * batch size, or when the export needs other inputs too.
 */
export function pixelPort(inputs: readonly Port[], { imageSize }: TowerGeometry): PixelPort {
  const wanted = ['batch', 3, imageSize, imageSize];
  const floats = inputs.filter(({ type }) => isFloat(type));
  const candidates =
    [4, 0]
      .map((rank) => floats.filter(({ shape }) => shape.length === rank))
      .find(({ length }) => length > 0) ?? [];
  const [input] = candidates;
  if (input === undefined) {
    throw new ExportProblem(
      `has no input for pixels, float32 or float16 ${listed(wanted)}; its inputs are: ${describe(inputs)}`,
    );
  }
  if (candidates.length > 1)
    throw new ExportProblem(`has several inputs for pixels: ${describe(candidates)}`);
  if (inputs.length > 1) {
    const others = inputs.filter((one) => one !== input);
    throw new ExportProblem(`also needs the inputs ${describe(others)}; import the vision model alone`);
  }
  const { name, type, shape } = input;
  const [batch, ...sizes] = shape;
  if (typeof batch === 'number') {
    throw new ExportProblem(`takes a fixed batch of ${batch}; export it with a dynamic batch size`);
  }
  const channelsLast = sizes[2] === 3 && sizes[0] !== 3;
  const expected = channelsLast ? [imageSize, imageSize, 3] : [3, imageSize, imageSize];
  if (sizes.some((size, axis) => typeof size === 'number' && size !== expected[axis])) {
    throw new ExportProblem(
      `takes ${describe([input])}; config.json makes it ${listed(['batch', ...expected])}`,
    );
  }
  return { name, type: type as FloatType, channelsLast };
}

/**
 * The output of an export that gives the tokens: last_hidden_state, or else the only one of its rank. `given` has the
 * true shapes of a run of `views` views. Throws an ExportProblem when there is no such output, or when config.json's
 * geometry makes another shape.
 */
export function tokenPort(given: readonly Port[], views: number, geometry: TowerGeometry): TokenPort {
  const tokens = gridSide(geometry) ** 2;
  const candidates = given.filter(({ type, shape }) => isFloat(type) && shape.length === 3);
  const usual = candidates.find(({ name }) => name === usualOutput);
  const output = usual ?? candidates[0];
  if (output === undefined) {
    throw new ExportProblem(`gives no tokens [batch, tokens, channels]; its outputs are: ${describe(given)}`);
  }
  if (usual === undefined && candidates.length > 1) {
    throw new ExportProblem(
      `gives several outputs that may be tokens, none of them ${usualOutput}: ${describe(candidates)}`,
    );
  }
  const { name, type, shape } = output;
  const hasClassToken = shape[1] === tokens + 1;
  if (shape[0] !== views || (shape[1] !== tokens && !hasClassToken) || shape[2] !== geometry.channels) {
    const expected = listed([views, `${tokens} or ${tokens + 1}`, geometry.channels]);
    throw new ExportProblem(
      `gives ${describe([output])} for ${views} views; config.json makes it ${expected}`,
    );
  }
  return { name, type: type as FloatType, hasClassToken };
}

function isFloat(type: string | undefined): boolean {
  return type === 'float32' || type === 'float16';
}

function listed(shape: readonly (number | string)[]): string {
  return `[${shape.map((size) => (size === '' ? '?' : size)).join(', ')}]`;
}

/** Names, types and shapes, made to fit a line. */
function describe(ports: readonly Port[]): string {
  if (ports.length === 0) return 'none';
  const shown = ports
    .slice(0, 8)
    .map(({ name, type = 'no tensor', shape }) => `${short(name)} ${type} ${short(listed(shape))}`);
  return ports.length > shown.length
    ? `${shown.join(', ')} and ${ports.length - shown.length} more`
    : shown.join(', ');
}

function short(text: string): string {
  return shortJson(text).replaceAll('"', '');
}
