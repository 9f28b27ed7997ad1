/** For each output position, the two input positions around it and the share of the upper one. */
export interface AxisTaps {
  readonly low: Int32Array;
  readonly high: Int32Array;
  readonly share: Float32Array;
}

/**
 * The taps of torch's interpolate(mode='bilinear', align_corners=False, antialias=False) along one side. They have
 * torch's float32 rounding: a float32 scale, and one rounding of scale * (i + 0.5) - 0.5. Where the share is 0, `high`
 * is `low`, so that no position without a share is read.
 */
export function bilinearAxis(inputs: number, outputs: number): AxisTaps {
  const scale = Math.fround(inputs / outputs);
  const low = new Int32Array(outputs);
  const high = new Int32Array(outputs);
  const share = new Float32Array(outputs);
  for (let i = 0; i < outputs; i++) {
    const position = Math.max(Math.fround(scale * (i + 0.5) - 0.5), 0);
    low[i] = Math.min(Math.trunc(position), inputs - 1);
    share[i] = position - low[i]!;
    high[i] = share[i] === 0 ? low[i]! : Math.min(low[i]! + 1, inputs - 1);
  }
  return { low, high, share };
}
