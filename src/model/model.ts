import type { Resample, Size } from '../recipes/plan.ts';

/** Which hidden state the tokens are. `penultimate` is LLaVA-NeXT's choice. */
export const featureLayers = ['last_hidden_state', 'pre_norm', 'penultimate'] as const;
export type FeatureLayer = (typeof featureLayers)[number];

/** Precision of the graph's weights and arithmetic. */
export const precisions = ['fp32', 'fp16'] as const;
export type Precision = (typeof precisions)[number];

/** Of a model; `exported` is an imported graph's own that is none of the others throughout, as of a quantised one. */
export const modelPrecisions = [...precisions, 'exported'] as const;
export type ModelPrecision = (typeof modelPrecisions)[number];

/** A loaded model folder under the name it is served as. Everything but `name` comes from model.json. */
export interface Model {
  readonly name: string;
  /** Absolute path of the folder. */
  readonly folder: string;
  /** `sha256:` and 64 hex digits, over the graph, the weights and whatever changes tokens. */
  readonly digest: string;
  readonly architecture: 'siglip';
  /** False for the embedded default, whose weights are random. */
  readonly trained: boolean;
  /** Side of a view, in pixels. */
  readonly imageSize: number;
  readonly patchSize: number;
  /** Tokens of a view. */
  readonly grid: Size;
  readonly channels: number;
  readonly layers: number;
  readonly features: FeatureLayer;
  readonly precision: ModelPrecision;
  readonly resample: Resample;
}
