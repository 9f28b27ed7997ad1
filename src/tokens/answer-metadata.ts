import type { FeatureLayer } from '../model/model.ts';
import type { AnyresGeometry, Size, TeacherMakeup, TokenOutput } from '../recipes/plan.ts';
import type { RecipeOptions } from '../recipes/recipe-options.ts';
import type { TokenDtype } from './tensor.ts';

/** Describes an answer. It travels with the tokens in every format and on both transports. */
export interface AnswerMetadata {
  readonly model: { readonly name: string; readonly digest: string; readonly trained: boolean };
  readonly recipe: RecipeOptions['recipe'];
  readonly output: TokenOutput;
  /** The tower's layer that the features are, or that the projector takes. */
  readonly features: FeatureLayer;
  readonly precision: string;
  readonly dtype: TokenDtype;
  /** What made the embeddings; absent with features. */
  readonly projector?: { readonly family: string; readonly digest: string };
  /** [tokens, channels], or [views, tokens, channels] with assembly=tiles. Several images prepend their number. */
  readonly shape: readonly number[];
  /** Tokens across and down; for anyres, those of the base view. */
  readonly grid: Size;
  /** Views that the model encoded for each image. */
  readonly views: number;
  /** How a teacher's answer was made. */
  readonly teacher?: TeacherMakeup;
  /** Where an anyres answer's tokens lie. */
  readonly anyres?: AnyresGeometry;
  /** Size of each decoded image in pixels, after EXIF orientation. */
  readonly images: readonly Size[];
}
