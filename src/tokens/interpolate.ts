import type { Size } from '../recipes/plan.ts';
import type { TokenMap } from './token-map.ts';

/** Two source coordinates and the second one's share, for each target coordinate. */
interface Axis {
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly share: Float32Array;
}

/** torch's bilinear coordinates, align_corners=False, no antialias: the scale and the share in float32. */
function bilinearAxis(sourceSize: number, targetSize: number, start: number): Axis {
  const scale = Math.fround(Math.fround(sourceSize) / Math.fround(targetSize));
  const low = new Int32Array(targetSize);
  const high = new Int32Array(targetSize);
  const share = new Float32Array(targetSize);
  for (let i = 0; i < targetSize; i++) {
    const at = Math.max(0, Math.fround(scale * (i + 0.5) - 0.5));
    const floor = Math.min(Math.floor(at), sourceSize - 1);
    low[i] = start + floor;
    high[i] = start + Math.min(floor + 1, sourceSize - 1);
    share[i] = at - floor;
  }
  return { low, high, share };
}

/** The part of a map that is interpolated, in tokens. */
export interface MapPart extends Size {
  readonly x: number;
  readonly y: number;
}

/** A token of a resized map: adds its values, times `weight`, to `sum[0..channels)`. */
export type AddToken = (x: number, y: number, weight: number, sum: Float32Array) => void;

/** `part` of the map brought to `target` by torch's bilinear; where nothing changes in size, the tokens as they are. */
export function resizedMap(map: TokenMap, part: MapPart, target: Size): AddToken {
  const { channels } = map;
  if (part.width === target.width && part.height === target.height) {
    return (x, y, weight, sum) => {
      const { values, offset } = map.read(part.x + x, part.y + y);
      for (let c = 0; c < channels; c++) sum[c]! += values[offset + c]! * weight;
    };
  }
  const across = bilinearAxis(part.width, target.width, part.x);
  const down = bilinearAxis(part.height, target.height, part.y);
  return (x, y, weight, sum) => {
    const [x0, x1, right] = [across.low[x]!, across.high[x]!, across.share[x]!];
    const [y0, y1, below] = [down.low[y]!, down.high[y]!, down.share[y]!];
    // What read() gives is good until the next call, so the place is kept and not the slot.
    const { values: a, offset: atA } = map.read(x0, y0);
    const { values: b, offset: atB } = map.read(x1, y0);
    const { values: c, offset: atC } = map.read(x0, y1);
    const { values: d, offset: atD } = map.read(x1, y1);
    const shareA = weight * (1 - right) * (1 - below);
    const shareB = weight * right * (1 - below);
    const shareC = weight * (1 - right) * below;
    const shareD = weight * right * below;
    for (let i = 0; i < channels; i++) {
      sum[i]! += a[atA + i]! * shareA + b[atB + i]! * shareB + c[atC + i]! * shareC + d[atD + i]! * shareD;
    }
  };
}
