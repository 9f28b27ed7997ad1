import type { Resample, Resize, Size } from './plan.ts';

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
  readonly resample: Resample;
  readonly resize: Resize;
}
