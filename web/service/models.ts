import type { Size } from '../../src/recipes/plan.ts';

/** A model as /v1/models lists it, as far as the page reads it. */
export interface ServedModel {
  readonly name: string;
  readonly default: boolean;
  readonly digest: string;
  readonly architecture: string;
  readonly trained: boolean;
  readonly image_size: number;
  readonly patch_size: number;
  readonly grid: Size;
  readonly channels: number;
  readonly features: string;
  readonly precision: string;
  readonly resize: 'squash' | 'crop' | 'fit-squash';
  readonly projector?: { readonly family: string; readonly digest: string };
}
