import type { Size } from '../../recipes/plan.ts';
import { assemble } from '../../tokens/assembly/assemble.ts';

/**
 * Brings a map of tokens to another grid, as TeacherEncode does with its scales: bilinear, torch's align_corners=False
 * without antialias. Synchronous.
 */
export function resizeTokens(
  tokens: Float32Array<ArrayBuffer>,
  channels: number,
  from: Size,
  to: Size,
): Float32Array<ArrayBuffer> {
  if (from.width === to.width && from.height === to.height) return tokens;
  const plan = {
    viewGrid: from,
    channels,
    assembly: {
      kind: 'fuse',
      maps: [{ columns: 1, rows: 1, stride: from, views: [0] }],
      fusion: 'average',
      weights: [1],
      channelOrder: 'torch',
    },
    shape: [to.width * to.height, channels],
    grid: to,
  } as const;
  const bytes = new Uint8Array(tokens.buffer, tokens.byteOffset, tokens.byteLength);
  return new Float32Array(assemble(plan, [bytes], 'float32').buffer);
}
