import { ServiceError } from '../errors/service-error.ts';
import type {
  Canvas,
  CanvasEncoder,
  ChannelOrder,
  Fusion,
  MapLayout,
  Plan,
  Resample,
  Size,
  TeacherWindows,
} from './plan.ts';
import type { PlanModel } from './plan-model.ts';

export interface TeacherOptions {
  /** In pixels, each 1, 2, 3 or 4 times the model's image size; the image size and twice that when absent. */
  readonly scales?: readonly number[];
  /** Positive weights of the scales in the average, of which only the proportions count; equal when absent. */
  readonly weights?: readonly number[];
  readonly fusion: Fusion;
  readonly windows: TeacherWindows;
  /** For unshuffle_concat only; torch when absent. */
  readonly channelOrder?: ChannelOrder;
  /** Token grid of the answer; the model's when absent. */
  readonly grid?: Size;
}

/** The options that the paper found best. */
export const teacherDefaults: TeacherOptions = {
  fusion: 'average',
  windows: 'tiles',
};

const largestFactor = 4;
const maxViews = 30;

/**
 * Plans TeacherEncode. The image is squashed to a square of every scale, each square is cut into views whose tokens form
 * a map, and the maps are fused to one grid. With windows=whole, each larger scale is one view of a served model of the
 * same tower and that image size. Throws `invalid_argument` or `too_large` for options that do not fit.
 */
export function planTeacher(
  model: PlanModel,
  options: TeacherOptions,
  served: readonly PlanModel[] = [model],
): Plan {
  const { imageSize, grid: viewGrid, channels } = model;
  const { fusion, windows, channelOrder = 'torch', grid = viewGrid } = options;
  const { scales = [imageSize, 2 * imageSize] } = options;
  checkScales(scales, imageSize);
  checkChannelOrder(options);
  checkWindows(windows, model);
  checkGrid(grid, fusion, viewGrid);

  const step = windows === 'half_overlap' ? 2 : 1;
  const perSide = scales.map((scale) => (windows === 'whole' ? 1 : (scale / imageSize - 1) * step + 1));
  checkViews(perSide, windows);
  const encoders = scales.map((scale) =>
    windows === 'whole' ? wholeEncoder(scale, model, served) : undefined,
  );
  if (fusion === 'unshuffle_concat') checkMultiples(encoders, viewGrid);
  const weights = normalised(options.weights, scales, fusion);
  return {
    recipe: 'teacher',
    viewSize: imageSize,
    viewGrid,
    channels,
    canvases: scales.map((scale, index) => {
      const canvas = canvasOf(scale, perSide[index]!, imageSize / step, model.resample);
      const encoder = encoders[index];
      return encoder === undefined ? canvas : { ...canvas, encoder };
    }),
    assembly: {
      kind: 'fuse',
      maps: layOut(perSide, { width: viewGrid.width / step, height: viewGrid.height / step }, encoders),
      fusion,
      weights,
      channelOrder,
    },
    shape: [grid.width * grid.height, channels * channelFactor(scales, imageSize, fusion)],
    grid,
    teacher: {
      scales,
      weights: fusion === 'average' ? weights : [],
      fusion,
      windows,
      models: encoders.map((encoder) => ({
        name: encoder?.model ?? model.name,
        digest: encoder?.digest ?? model.digest,
      })),
    },
  };
}

function canvasOf(scale: number, perSide: number, stridePx: number, resample: Resample): Canvas {
  const square = { width: scale, height: scale };
  const views = Array.from({ length: perSide * perSide }, (_, view) => ({
    left: (view % perSide) * stridePx,
    top: Math.floor(view / perSide) * stridePx,
  }));
  return { content: square, resample, size: square, paste: { left: 0, top: 0 }, views };
}

function layOut(
  perSide: readonly number[],
  stride: Size,
  encoders: readonly (CanvasEncoder | undefined)[],
): MapLayout[] {
  let next = 0;
  return perSide.map((side, index) => {
    const views = Array.from({ length: side * side }, () => next++);
    const viewGrid = encoders[index]?.viewGrid;
    if (viewGrid === undefined) return { columns: side, rows: side, stride, views };
    return { columns: side, rows: side, stride: viewGrid, views, viewGrid };
  });
}

/** The served model that encodes a scale in one view; undefined for the model's own image size, which needs none. */
function wholeEncoder(
  scale: number,
  model: PlanModel,
  served: readonly PlanModel[],
): CanvasEncoder | undefined {
  if (scale === model.imageSize) return undefined;
  const found = served.find((other) => other.imageSize === scale && other.towerDigest === model.towerDigest);
  if (found !== undefined)
    return { model: found.name, digest: found.digest, viewSize: scale, viewGrid: found.grid };
  const int8 = model.precision === 'int8' ? ' (for int8 also with the same matrices in fp32)' : '';
  throw invalid(
    `windows=whole at scale ${scale} needs a second served model of the same checkpoint, precision${int8} and list of layers (--features), ` +
      `imported with --image-size ${scale}, and none is served. Use windows=tiles.`,
  );
}

function channelFactor(scales: readonly number[], imageSize: number, fusion: Fusion): number {
  const factors = {
    average: 1,
    concat: scales.length,
    unshuffle_concat: scales.reduce((sum, scale) => sum + (scale / imageSize) ** 2, 0),
  } as const satisfies Record<Fusion, number>;
  return factors[fusion];
}

/** The weights of the scales, scaled to sum 1. */
function normalised(
  weights: readonly number[] | undefined,
  scales: readonly number[],
  fusion: Fusion,
): number[] {
  if (weights === undefined) return scales.map(() => 1 / scales.length);
  if (fusion !== 'average') {
    throw invalid(`weights only apply to fusion=average; leave them out with fusion=${fusion}.`);
  }
  if (weights.length !== scales.length) {
    throw invalid(`Give one weight for each scale (${scales.join(', ')}); there are ${weights.length}.`);
  }
  const wrong = weights.find((weight) => !(Number.isFinite(weight) && weight > 0));
  if (wrong !== undefined) {
    throw invalid(`The weight ${wrong} is invalid; weights must be positive finite numbers, such as 1,1.`);
  }
  const sum = weights.reduce((total, weight) => total + weight, 0);
  if (sum === Infinity) {
    throw invalid(
      'The sum of the weights is not finite; use smaller weights, since only their proportions count.',
    );
  }
  return weights.map((weight) => weight / sum);
}

function checkScales(scales: readonly number[], imageSize: number): void {
  const allowed = Array.from({ length: largestFactor }, (_, index) => (index + 1) * imageSize);
  const choice = `use one or more of ${allowed.join(', ')}`;
  const wrong = scales.find((scale) => !allowed.includes(scale));
  if (wrong !== undefined) {
    throw invalid(
      `The scale ${wrong} is not 1, 2, 3 or ${largestFactor} times the model's image size of ${imageSize}; ${choice}.`,
    );
  }
  const twice = scales.find((scale, index) => scales.indexOf(scale) !== index);
  if (twice !== undefined) {
    throw invalid(`The scale ${twice} is given twice; give each scale once, and its share with weights.`);
  }
}

/** Space to depth needs maps whose sides are multiples of the answer's. */
function checkMultiples(encoders: readonly (CanvasEncoder | undefined)[], { width, height }: Size): void {
  const odd = encoders.find((encoder) => {
    const { width: across, height: down } = encoder?.viewGrid ?? { width, height };
    return across % width !== 0 || down % height !== 0 || across / width !== down / height;
  });
  if (odd === undefined) return;
  const side = `${odd.viewGrid.width}x${odd.viewGrid.height}`;
  throw invalid(
    `fusion=unshuffle_concat needs maps that are multiples of ${width}x${height} tokens, but the whole scale of ${odd.viewSize} px has ${side}. Use windows=tiles, or fusion=average or concat.`,
  );
}

function checkChannelOrder({ channelOrder, fusion }: TeacherOptions): void {
  if (channelOrder === undefined || fusion === 'unshuffle_concat') return;
  throw invalid(`channel_order only applies to fusion=unshuffle_concat; leave it out with fusion=${fusion}.`);
}

function checkWindows(windows: TeacherWindows, { imageSize, grid }: PlanModel): void {
  if (windows !== 'half_overlap') return;
  if ([imageSize, grid.width, grid.height].every((side) => side % 2 === 0)) return;
  throw invalid(
    `windows=half_overlap needs an even image size and an even token grid, so that half a view is a whole number of tokens; this model has ${imageSize} px and ${grid.width} x ${grid.height} tokens. Use windows=tiles.`,
  );
}

function checkGrid({ width, height }: Size, fusion: Fusion, viewGrid: Size): void {
  if (![width, height].every((side) => Number.isSafeInteger(side) && side >= 1)) {
    throw invalid(
      `The grid ${width}x${height} is invalid; width and height must be positive whole numbers, such as ${viewGrid.width}x${viewGrid.height}.`,
    );
  }
  const largest = { width: largestFactor * viewGrid.width, height: largestFactor * viewGrid.height };
  if (width > largest.width || height > largest.height) {
    throw new ServiceError(
      'too_large',
      `The grid ${width}x${height} is larger than any map of this model; the largest grid is ${largest.width}x${largest.height}.`,
    );
  }
  if (fusion === 'unshuffle_concat' && (width !== viewGrid.width || height !== viewGrid.height)) {
    throw invalid(
      `fusion=unshuffle_concat answers the model's grid of ${viewGrid.width}x${viewGrid.height}, not ${width}x${height}. Leave grid out, or use fusion=average or concat.`,
    );
  }
}

function checkViews(perSide: readonly number[], windows: TeacherWindows): void {
  const views = perSide.reduce((sum, side) => sum + side * side, 0);
  if (views <= maxViews) return;
  throw new ServiceError(
    'too_large',
    `These scales need ${views} views with windows=${windows}; the limit is ${maxViews}. Use windows=tiles, or fewer or smaller scales.`,
  );
}

function invalid(message: string): ServiceError {
  return new ServiceError('invalid_argument', message);
}
