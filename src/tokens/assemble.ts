import { ServiceError } from '../errors.ts';
import type { ChannelOrder, Plan } from '../recipes/plan.ts';
import { toBfloat16 } from './bfloat16.ts';
import { writeFloat16 } from './float16.ts';
import { type AddToken, resizedMap } from './interpolate.ts';
import type { TokenDtype } from './tensor.ts';
import { type TokenMap, tokenMap } from './token-map.ts';

/** Writes the answer's tokens, one after the other, into `token`; `emit` takes each. */
type Produce = (token: Float32Array, emit: () => void) => void;

/**
 * The answer's tokens, from the views' float32 tokens in the order of the plan's views: stitched, interpolated, fused
 * in float32, and rounded once to `dtype`. The result owns its buffer. Rejects what is not finite in `dtype` with
 * `internal`. Takes tens of milliseconds: not for the main thread.
 */
export function assemble(
  plan: Plan,
  views: readonly Uint8Array<ArrayBuffer>[],
  dtype: TokenDtype,
): Uint8Array<ArrayBuffer> {
  const floats = views.map((view) => new Float32Array(view.buffer, view.byteOffset, view.byteLength / 4));
  const channels = plan.shape.at(-1)!;
  const count = plan.shape[0]!;
  const token = new Float32Array(channels);
  const bits = new Uint32Array(token.buffer);
  const produce = producerOf(plan, floats);
  if (dtype === 'float16') {
    const halves = new Uint16Array(count * channels);
    let offset = 0;
    let isFinite = true;
    produce(token, () => {
      isFinite = writeFloat16(bits, halves, offset) && isFinite;
      offset += channels;
    });
    if (!isFinite) throw notFinite();
    return new Uint8Array(halves.buffer);
  }
  const singles = new Float32Array(count * channels);
  let offset = 0;
  produce(token, () => {
    singles.set(token, offset);
    offset += channels;
  });
  const bytes = new Uint8Array(singles.buffer);
  return dtype === 'bfloat16' ? toBfloat16(bytes) : bytes;
}

function producerOf(plan: Plan, views: readonly Float32Array[]): Produce {
  const { assembly } = plan;
  switch (assembly.kind) {
    case 'single':
    case 'stack':
      throw new Error(`the tokens of a ${assembly.kind} answer need no assembly`);
    case 'anyres':
      return anyres(plan, assembly, views);
    case 'fuse': {
      const maps = assembly.maps.map((layout) => tokenMap(layout, views, plan));
      return fuse(plan, assembly, maps);
    }
  }
}

type FuseAssembly = Extract<Plan['assembly'], { kind: 'fuse' }>;
type AnyresAssembly = Extract<Plan['assembly'], { kind: 'anyres' }>;

function fuse({ grid, channels }: Plan, assembly: FuseAssembly, maps: readonly TokenMap[]): Produce {
  const { fusion, weights, channelOrder } = assembly;
  return (token, emit) => {
    let start = 0;
    const layers = maps.map((map, index) => {
      const whole = { x: 0, y: 0, width: map.width, height: map.height };
      if (fusion === 'average') {
        return { add: resizedMap(map, whole, grid), weight: Math.fround(weights[index]!), target: token };
      }
      const ratio = fusion === 'unshuffle_concat' ? map.width / grid.width : 1;
      const target = token.subarray(start, (start += ratio * ratio * channels));
      const add = ratio === 1 ? resizedMap(map, whole, grid) : unshuffledMap(map, ratio, channelOrder);
      return { add, weight: 1, target };
    });
    for (let y = 0; y < grid.height; y++) {
      for (let x = 0; x < grid.width; x++) {
        token.fill(0);
        for (const { add, weight, target } of layers) add(x, y, weight, target);
        emit();
      }
    }
  };
}

/** Space to depth: the ratio x ratio tokens under a target token, their channels in the order asked for. */
function unshuffledMap(map: TokenMap, ratio: number, order: ChannelOrder): AddToken {
  const { channels } = map;
  const step = order === 'torch' ? ratio * ratio : 1;
  return (x, y, weight, sum) => {
    for (let dy = 0; dy < ratio; dy++) {
      for (let dx = 0; dx < ratio; dx++) {
        const { values, offset } = map.read(x * ratio + dx, y * ratio + dy);
        const cell = dy * ratio + dx;
        const first = order === 'torch' ? cell : cell * channels;
        for (let c = 0; c < channels; c++) sum[first + c * step]! += values[offset + c]! * weight;
      }
    }
  };
}

function anyres(
  plan: Plan,
  { map, unpad, limited }: AnyresAssembly,
  views: readonly Float32Array[],
): Produce {
  return (token, emit) => {
    const { channels, viewGrid } = plan;
    const base = views[0]!;
    for (let first = 0; first < viewGrid.width * viewGrid.height * channels; first += channels) {
      token.set(base.subarray(first, first + channels));
      emit();
    }
    if (limited.width === 0 || limited.height === 0) return;
    const add = resizedMap(tokenMap(map, views, plan), unpad, limited);
    for (let y = 0; y < limited.height; y++) {
      for (let x = 0; x < limited.width; x++) {
        token.fill(0);
        add(x, y, 1, token);
        emit();
      }
    }
  };
}

function notFinite(): ServiceError {
  return new ServiceError(
    'internal',
    'The tokens of this image are not finite as float16. float32 tokens may be: ask for dtype=float32.',
  );
}
