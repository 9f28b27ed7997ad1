import type { AnyresGeometry, Size, TeacherMakeup, TokenOutput } from '../recipes/plan.ts';
import type { RecipeOptions } from '../recipes/recipe-options.ts';
import type { TokenDtype } from './tensor.ts';

/** Describes an answer. It travels with the tokens in every format and on both transports. */
export interface AnswerMetadata {
  readonly model: { readonly name: string; readonly digest: string; readonly trained: boolean };
  readonly recipe: RecipeOptions['recipe'];
  readonly output: TokenOutput;
  /**
   * The hidden states that the features are, separated by commas, or the one that the projector takes or that the vector is
   * pooled from.
   */
  readonly features: string;
  /** Whether the class token precedes the patches' tokens, which the grid does not count. */
  readonly classToken?: boolean;
  readonly precision: string;
  readonly dtype: TokenDtype;
  /** What made the embeddings; absent with features. */
  readonly projector?: { readonly family: string; readonly digest: string };
  /**
   * [tokens, channels]; [views, tokens, channels] with assembly=tiles; [channels] of a pooled vector. Several images prepend
   * their number.
   */
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
