import type { Resample, Resize, Size } from './plan.ts';

/** What a plan needs to know of a served model. */
export interface PlanModel {
  readonly name: string;
  readonly digest: string;
  /** Equal for models that differ in image size alone. */
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
