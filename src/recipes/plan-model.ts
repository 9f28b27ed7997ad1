import type { Resample, Resize, Size, TileGrid } from './plan.ts';

/** What a plan needs to know about a served model. */
export interface PlanModel {
  readonly name: string;
  readonly digest: string;
  /** The same for models that differ only in image size. */
  readonly towerDigest: string;
  readonly precision: string;
  /** Side of a view, in pixels. */
  readonly imageSize: number;
  readonly patchSize: number;
  /** Tokens of a view. */
  readonly grid: Size;
  readonly channels: number;
  /** What the model gives beside the features of one layer. */
  readonly outputs?: { readonly pooledChannels?: number | undefined } | undefined;
  readonly resample: Resample;
  readonly resize: Resize;
  /** Of `fit-squash`: what the longer side becomes first, in pixels. */
  readonly fitSize?: number | undefined;
  readonly anyres?: AnyresDefinition | undefined;
  readonly projector?: PlanProjector | undefined;
}

/** What a plan needs to know about a model's projector. */
export interface PlanProjector {
  /** Rows of one view. */
  readonly grid: Size;
  /** Values of a row. */
  readonly hiddenSize: number;
  /** Whether it takes any number of tokens, rather than those of one view. */
  readonly anyGrid: boolean;
  /** Whether a newline row follows each line of an AnyRes map. */
  readonly newline: boolean;
}

/** The AnyRes that a checkpoint was trained with. */
export interface AnyresDefinition {
  /** Candidates in the checkpoint's order, which decides between equals. */
  readonly grids: readonly TileGrid[];
  readonly resample: Resample;
  /** The N of LLaVA's anyres_max_N; 0 for no limit. */
  readonly maxTiles: number;
}
