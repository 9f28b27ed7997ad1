import type { AnyresDefinition } from '../recipes/plan-model.ts';
import type { Resample, Resize, Size } from '../recipes/plan.ts';
import type { Projector } from './projector.ts';
import type { Architecture } from './tower-geometry.ts';

/** The hidden states that have names. LLaVA-NeXT takes `penultimate`. */
export const featureLayers = ['last_hidden_state', 'pre_norm', 'penultimate'] as const;
/** Which hidden state the tokens are. `-3` and lower count from the end, as transformers' `hidden_states` do. */
export type FeatureLayer = (typeof featureLayers)[number] | `-${number}`;

/** Precision of the graph's weights and arithmetic. int8 is for the layers' matrices only, and for CPUs only. */
export const precisions = ['fp32', 'fp16', 'int8'] as const;
export type Precision = (typeof precisions)[number];

/** Of a model; `exported` is an imported graph's own that is none of the others throughout, as of a quantised one. */
export const modelPrecisions = [...precisions, 'exported'] as const;
export type ModelPrecision = (typeof modelPrecisions)[number];

/** Precisions that may quantise the activations of a whole batch with one scale, so that views must run one by one. */
export const oneByOne: ReadonlySet<ModelPrecision> = new Set(['int8', 'exported']);

/** The models that are served when none is given, from checkpoints in the package: the default, and its teacher. */
export const embeddedNames = ['nano-hd', 'nano-base'] as const;
export type EmbeddedName = (typeof embeddedNames)[number];
export const [defaultModelName, defaultTeacherName] = embeddedNames;

/** What a model gives beside the features of one layer. */
export interface ModelOutputs {
  /** The hidden states that a request can choose, its default first. */
  readonly features: readonly FeatureLayer[];
  /** Whether each of them can have the class token before its patches. */
  readonly classToken: boolean;
  /** Width of the pooled vector; absent if the model has none. */
  readonly pooledChannels?: number | undefined;
}

/** A loaded model folder and the name under which it is served. Everything but the name comes from model.json. */
export interface Model {
  readonly name: string;
  /** Absolute path of the folder. */
  readonly folder: string;
  /** `sha256:` and 64 hex digits, over the graph, the weights and everything else that changes tokens. */
  readonly digest: string;
  readonly architecture: Architecture;
  /** False for random weights. No import writes that, but folders of the former embedded default have it. */
  readonly trained: boolean;
  /** Side of a view, in pixels. */
  readonly imageSize: number;
  readonly patchSize: number;
  /** Tokens of a view. */
  readonly grid: Size;
  readonly channels: number;
  readonly layers: number;
  /** The features of a request that names none; those that the projector takes, if there is one. */
  readonly features: FeatureLayer;
  /** Absent if those features are all that the folder gives, with their embeddings. */
  readonly outputs?: ModelOutputs | undefined;
  readonly precision: ModelPrecision;
  readonly resample: Resample;
  /** How Encode makes a view; other recipes have ways of their own. */
  readonly resize: Resize;
  /** Of `fit-squash`: what the longer side becomes first, in pixels. */
  readonly fitSize?: number | undefined;
  /**
   * SHA-256 over the tower without its positions, as 64 hex digits: folders of one checkpoint, normalisation, feature
   * layer and precision share it, whatever their image sizes.
   */
  readonly towerDigest: string;
  /** Commit of the repository on the hub that it was imported from, 40 hex digits. */
  readonly revision?: string | undefined;
  /** The folder's graphs, in the order they run; `encoder.onnx` alone when absent. */
  readonly graphs?: readonly string[] | undefined;
  /** The model gives embeddings as well as features where it has one. */
  readonly projector?: Projector | undefined;
  /** The checkpoint's own AnyRes, which a request without AnyRes options gets. */
  readonly anyres?: AnyresDefinition | undefined;
}
