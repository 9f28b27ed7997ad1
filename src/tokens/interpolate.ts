/** Where each target coordinate lies between two source coordinates: `share` is the second one's. */
export interface Axis {
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly share: Float32Array;
}

/**
 * Coordinates of torch.nn.functional.interpolate's bilinear, align_corners=False, without antialias: scale and share
 * in float32, as torch has them. Where the sizes are equal every coordinate is itself.
 */
export function bilinearAxis(sourceSize: number, targetSize: number): Axis {
  const scale = Math.fround(Math.fround(sourceSize) / Math.fround(targetSize));
  const low = new Int32Array(targetSize);
  const high = new Int32Array(targetSize);
  const share = new Float32Array(targetSize);
  for (let i = 0; i < targetSize; i++) {
    const at = Math.max(0, Math.fround(scale * (i + 0.5) - 0.5));
    const floor = Math.min(Math.floor(at), sourceSize - 1);
    low[i] = floor;
    high[i] = Math.min(floor + 1, sourceSize - 1);
    share[i] = at - floor;
  }
  return { low, high, share };
}
