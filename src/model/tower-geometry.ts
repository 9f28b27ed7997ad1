/** Families of vision towers, named as Hugging Face's model_type begins. */
export const architectures = ['siglip', 'clip'] as const;
export type Architecture = (typeof architectures)[number];

/** A vision tower's shape; Hugging Face's names for it are in checkpoint-config.ts. */
export interface TowerGeometry {
  readonly architecture: Architecture;
  /** Side of a view, in pixels. */
  readonly imageSize: number;
  /** The image size of the checkpoint's positions. They are resized where it is not `imageSize`, its default. */
  readonly checkpointImageSize?: number;
  readonly patchSize: number;
  readonly channels: number;
  readonly layers: number;
  readonly heads: number;
  readonly mlpChannels: number;
  readonly epsilon: number;
  readonly activation: 'gelu_tanh' | 'gelu_erf' | 'quick_gelu';
}

/** A pixel p of channel c enters the tower as (p * rescale - mean[c]) / std[c]. */
export interface Normalisation {
  readonly rescale: number;
  readonly mean: readonly [number, number, number];
  readonly std: readonly [number, number, number];
}

/** Patches along a side. Pixels beyond the last whole patch are left out, as by Hugging Face's convolution. */
export function gridSide(geometry: Pick<TowerGeometry, 'imageSize' | 'patchSize'>): number {
  return Math.floor(geometry.imageSize / geometry.patchSize);
}
